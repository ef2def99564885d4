import type { InnerGenerateOptions } from "../../generation/resolve-options.js";
import type { ToolMessage } from "../../text/chat-template.js";
import { shareTurn } from "../../text/slices.js";
import type { Service } from "../service.js";
import type { KeptSchema } from "./json-format.js";
import { encodeMessages, type TemplateRequest, textsOf } from "./thinking.js";
import type { ToolCallParser } from "./tool-call-parser.js";
import { type AskedFormat, type ToolRequest, useTools } from "./tool-calls.js";

/** The fields of a chat that decide about its prompt. */
export interface ChatRequest extends AskedFormat {
  readonly messages: readonly ToolMessage[];
  readonly template: TemplateRequest;
  readonly tools: ToolRequest;
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
  const { messages, template } = request;
  await shareTurn();
  service.checkPromptSize(textsOf(messages, template));
  const use = await useTools(request.tools, request, messages, service);
  const { tools, createParser, createWatcher, shownTokens, grammar, warningFields } = use;
  const { ids, thoughts } = await encodeMessages(service, messages, tools, { ...template, signal });
  const chatOptions = { grammar, shownTokens, createWatcher, thoughts };
  return { prompt: ids, chatOptions, warningFields, createParser };
}
