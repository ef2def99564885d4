import type { Hono } from "hono";
import { z } from "zod";
import { optional, requestPart, requestReader } from "./requests/body.js";
import { isGiven, type RouteFields } from "./requests/field-rules.js";
import type { Service } from "./service.js";

const readTokenize = requestReader(
  {
    content: requestPart({ content: z.string() }, ({ content }) => content),
    options: requestPart(
      { add_special: optional(z.boolean()), parse_special: optional(z.boolean()) },
      ({ add_special: addSpecial = false, parse_special: parseSpecial = false }) => ({
        addSpecial,
        parseSpecial,
      }),
    ),
  },
  { harmless: ["model"], refused: { with_pieces: { asks: isGiven, advice: "use /detokenize" } } },
);
/** The fields of `/tokenize`. */
export const tokenizeFields: RouteFields = readTokenize.fields;
const readDetokenize = requestReader(
  {
    tokens: requestPart({ tokens: z.array(z.int().min(0)) }, ({ tokens }) => tokens),
  },
  { harmless: ["model"], refused: {} },
);
/** The fields of `/detokenize`. */
export const detokenizeFields: RouteFields = readDetokenize.fields;

/** `/tokenize` and `/detokenize`, with the fields of llama.cpp's server. */
export function addTokenRoutes(app: Hono, { model }: Service): void {
  app.post("/tokenize", async (context) => {
    const { content, options } = await readTokenize(context);
    return context.json({ tokens: model.tokenize(content, options) });
  });
  app.post("/detokenize", async (context) => {
    const { tokens } = await readDetokenize(context);
    return context.json({ content: model.detokenize(tokens) });
  });
}
