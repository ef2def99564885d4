import type { Hono } from "hono";
import { z } from "zod";
import { startJobs } from "../../jobs.js";
import { modelPart } from "../../models/model-part.js";
import type { Models } from "../../models/models.js";
import { optional, requestPart, requestReader } from "../../requests/body.js";
import { prepareChat } from "../../requests/chat-prompt.js";
import { schemaModePart } from "../../requests/json-format.js";
import { isGiven, isOther, type RouteFields } from "../../requests/field-rules.js";
import { harmlessFields, unsupportedSampling } from "../../requests/unsupported-fields.js";
import { type EventForm, serverSentEvents, typedEvent } from "../../server-sent-events.js";
import { failureBody } from "../failure-body.js";
import { responseSamplingPart } from "../sampling.js";
import { inputPart } from "./input.js";
import { collect, events } from "./response.js";
import { reasoningPart, responseToolsPart, textPart } from "./settings.js";

const stateless = "this server stores no responses; send the whole conversation in input";

const readRequest = requestReader(
  {
    model: modelPart,
    input: inputPart,
    tools: responseToolsPart,
    text: textPart,
    schemaMode: schemaModePart,
    reasoning: reasoningPart,
    sampling: responseSamplingPart,
    stream: requestPart({ stream: optional(z.boolean()) }, ({ stream = false }) => stream),
    metadata: requestPart(
      { metadata: optional(z.record(z.string(), z.unknown())) },
      ({ metadata = {} }) => metadata,
    ),
  },
  {
    objects: { text: ["format"], reasoning: ["effort", "summary", "generate_summary"] },
    harmless: [
      ...harmlessFields.filter((name) => name !== "metadata"),
      // A prompt that does not fit is refused, which is seen.
      "truncation",
      // It limits built-in tools only.
      "max_tool_calls",
      "stream_options",
    ],
    refused: {
      previous_response_id: { asks: isGiven, advice: stateless },
      conversation: { asks: isGiven, advice: stateless },
      context_management: { asks: isGiven, advice: stateless },
      prompt: { asks: isGiven, advice: "this server stores no prompts; send the text in input" },
      background: { asks: isGiven, advice: "this server stores no responses; use stream" },
      include: {
        // Clients ask for encrypted thoughts where nothing is stored. Ours are in the response anyway.
        asks: (value) => Array.isArray(value) && value.some((each) => each !== "reasoning.encrypted_content"),
        advice: "it has no built-in tools; for log-probabilities use /v1/chat/completions",
      },
      top_logprobs: { asks: isOther(0), advice: "use /v1/chat/completions" },
      max_tokens: { asks: isGiven, advice: "use max_output_tokens" },
      response_format: { asks: isGiven, advice: "use text.format" },
      messages: { asks: isGiven, advice: "use input, or /v1/chat/completions" },
      "text.verbosity": { asks: isOther("medium"), advice: "ask for it in a message" },
      ...unsupportedSampling,
    },
  },
);
/** The fields of `/v1/responses`. */
export const responseFields: RouteFields = readRequest.fields;

const form: EventForm = {
  write: typedEvent,
  end: "",
  waiting: ": waiting\n\n",
  failed: failureBody,
};

/** `/v1/responses`, without storage. */
export function addResponses(app: Hono, models: Models): void {
  app.on("POST", ["/v1/responses", "/responses"], async (context) => {
    await models.door.enter(context.req.raw.signal);
    const { model, input, tools, text, schemaMode, reasoning, sampling, stream, metadata } =
      await readRequest(context, models);
    const service = await models.open(context, models.find(model));
    const prepared = await prepareChat(service, context.req.raw.signal, {
      messages: input.messages,
      template: reasoning.value.template,
      tools: tools.value,
      format: text.value,
      schemaMode,
    });
    const { prompt, chatOptions, createParser } = prepared;
    const options = { ...sampling, ...chatOptions };
    const { pieces, work } = await startJobs(service, context, [{ prompt, options }], { stream });
    const written = {
      pieces,
      createParser,
      asSummary: reasoning.value.asSummary,
      model: service.name,
      repeated: {
        instructions: input.instructions,
        metadata,
        max_output_tokens: sampling.maxTokens ?? null,
        temperature: sampling.temperature ?? null,
        top_p: sampling.topP ?? null,
        ...tools.fields,
        ...text.fields,
        ...reasoning.fields,
        ...prepared.warningFields,
      },
    };
    if (!stream) return Response.json(await collect(written));
    return serverSentEvents(events(written), work, form);
  });
}
