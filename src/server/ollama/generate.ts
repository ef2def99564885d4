import type { Hono } from "hono";
import { z } from "zod";
import { encodeOpenText } from "../../generation/prompt.js";
import type { ChatMessage } from "../../text/chat-template.js";
import { optional, requestPart, requestReader } from "../requests/body.js";
import type { Service } from "../service.js";
import { answer, streamPart } from "./answer.js";
import { formatPart } from "./format.js";
import { modelLoaded } from "./model-loaded.js";
import { refusedFields } from "./refused-fields.js";
import { samplingPart } from "./sampling.js";

interface Prompt {
  readonly text: string;
  readonly system: string;
  /** Whether the prompt bypasses the chat template. */
  readonly raw: boolean;
}

const readRequest = requestReader(
  {
    prompt: requestPart(
      {
        prompt: optional(z.string()),
        system: optional(z.string()),
        raw: optional(z.boolean()),
      },
      ({ prompt = "", system = "", raw = false }): Prompt => ({ text: prompt, system, raw }),
    ),
    format: formatPart,
    sampling: samplingPart,
    stream: streamPart,
  },
  refusedFields,
);

/** `/api/generate`. */
export function addGenerate(app: Hono, service: Service): void {
  app.post("/api/generate", async (context) => {
    const { prompt, format, sampling, stream } = await readRequest(context);
    if (prompt.text === "") return modelLoaded(service, { response: "" });
    service.checkPromptSize([prompt.system, prompt.text]);
    return answer(service, context, {
      prompt: encodePrompt(service, prompt),
      options: { ...sampling, grammar: format },
      stream,
      content: (response) => ({ response }),
    });
  });
}

function encodePrompt({ tokenizer, template }: Service, { text, system, raw }: Prompt): readonly number[] {
  // The client has applied a template of its own.
  if (raw) return encodeOpenText(tokenizer, text, { parseSpecial: true });
  // A model without a template is no chat model: it continues the text.
  if (template().kind === "plain") {
    return encodeOpenText(tokenizer, system === "" ? text : `${system}\n${text}`);
  }
  const instructions: ChatMessage[] = system === "" ? [] : [{ role: "system", content: system }];
  return template().encode([...instructions, { role: "user", content: text }]);
}
