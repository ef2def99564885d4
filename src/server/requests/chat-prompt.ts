import type { InnerGenerateOptions } from "../../generation/resolve-options.js";
import type { ToolMessage } from "../../text/chat-template.js";
import { badRequest } from "../failures.js";
import type { Service } from "../service.js";
import { type AskedSchema, type KeptSchema, schemaGrammar, type SchemaMode } from "./json-format.js";
import { encodeMessages, type TemplateRequest, textsOf } from "./thinking.js";
import type { ToolCallParser } from "./tool-call-parser.js";
import { type ToolRequest, useTools } from "./tool-calls.js";

/** The fields of a chat that decide about its prompt. */
export interface ChatRequest {
  readonly messages: readonly ToolMessage[];
  readonly template: TemplateRequest;
  readonly tools: ToolRequest;
  /** The schema of the answer; undefined is plain text. */
  readonly format: AskedSchema | undefined;
  /** The field that `format` comes from. */
  readonly formatParam: string;
  readonly schemaMode: SchemaMode;
}

/** A chat that is ready to be answered. */
export interface PreparedChat {
  readonly prompt: readonly number[];
  readonly chatOptions: Pick<InnerGenerateOptions, "grammar" | "shownTokens" | "createWatcher" | "thoughts">;
  readonly warningFields: KeptSchema["warningFields"];
  /** Undefined if the answer cannot contain calls. */
  readonly createParser: (() => ToolCallParser) | undefined;
}

/**
 * The prompt of a chat, with the options that follow from its tools and its format.
 *
 * @param signal ends the work when the client leaves.
 */
export async function prepareChat(
  service: Service,
  signal: AbortSignal,
  request: ChatRequest,
): Promise<PreparedChat> {
  const { messages, template, format, formatParam } = request;
  service.checkPromptSize(textsOf(messages, template));
  const use = await useTools(request.tools, messages, service);
  const { tools, createParser, createWatcher, shownTokens } = use;
  if (format !== undefined && tools.length > 0) {
    throw badRequest(
      formatParam,
      `This server does not support ${formatParam} beside tools: leave one of them out, or set tool_choice to none`,
    );
  }
  const kept = await schemaGrammar(format, request.schemaMode, service.limits);
  const grammar = use.grammar ?? kept.grammar;
  const { ids, thoughts } = await encodeMessages(service, messages, tools, { ...template, signal });
  const chatOptions = { grammar, shownTokens, createWatcher, thoughts };
  return { prompt: ids, chatOptions, warningFields: kept.warningFields, createParser };
}
