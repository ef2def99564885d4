import type { Hono } from "hono";
import { z } from "zod";
import { inSlices, type Steps } from "../text/slices.js";
import { modelPart } from "./models/model-part.js";
import type { Models } from "./models/models.js";
import { optional, requestPart, requestReader } from "./requests/body.js";
import { isIds } from "./requests/fields.js";
import { isGiven, type RouteFields } from "./requests/field-rules.js";

const readTokenize = requestReader(
  {
    model: modelPart,
    content: requestPart({ content: z.string() }, ({ content }) => content),
    options: requestPart(
      { add_special: optional(z.boolean()), parse_special: optional(z.boolean()) },
      ({ add_special: addSpecial = false, parse_special: parseSpecial = false }) => ({
        addSpecial,
        parseSpecial,
      }),
    ),
  },
  { harmless: [], refused: { with_pieces: { asks: isGiven, advice: "use /detokenize" } } },
);
/** The fields of `/tokenize`. */
export const tokenizeFields: RouteFields = readTokenize.fields;
const readDetokenize = requestReader(
  {
    model: modelPart,
    tokens: requestPart(
      {
        tokens: z.custom<readonly number[]>(
          (value) => isIds(value) || (Array.isArray(value) && value.length === 0),
          { error: "expected an array of token ids" },
        ),
      },
      ({ tokens }) => tokens,
    ),
  },
  { harmless: [], refused: {} },
);
/** The fields of `/detokenize`. */
export const detokenizeFields: RouteFields = readDetokenize.fields;

/** `/tokenize` and `/detokenize`, with the fields of llama.cpp's server. */
export function addTokenRoutes(app: Hono, models: Models): void {
  app.post("/tokenize", async (context) => {
    const { model, content, options } = await readTokenize(context, models);
    const { tokenizer } = await models.open(context, models.findOrFirst(model));
    const { signal } = context.req.raw;
    const ids = await tokenizer.encodeAsync(content, { ...options, signal });
    return context.body(await inSlices(writeIds(ids)), { headers: { "Content-Type": "application/json" } });
  });
  app.post("/detokenize", async (context) => {
    const { model, tokens } = await readDetokenize(context, models);
    const { tokenizer } = await models.open(context, models.findOrFirst(model));
    const { signal } = context.req.raw;
    return context.json({ content: await tokenizer.decodeAsync(tokens, { signal }) });
  });
}

/** About half a millisecond. */
const idsPerStep = 2048;

function* writeIds(ids: readonly number[]): Steps<string> {
  const written: string[] = [];
  for (let begin = 0; begin < ids.length; begin += idsPerStep) {
    written.push(ids.slice(begin, begin + idsPerStep).join());
    yield;
  }
  return `{"tokens":[${written.join()}]}`;
}
