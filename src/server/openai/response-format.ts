import { z } from "zod";
import { badRequest } from "../failures.js";
import { optional, type RequestPart, requestPart } from "../requests/body.js";
import { anyFields } from "../requests/fields.js";
import { anyObject, type AskedSchema } from "../requests/json-format.js";

const schemaField = optional(anyFields);
const named = optional(z.object({ schema: schemaField }));
const format = z.discriminatedUnion(
  "type",
  [
    z.object({ type: z.literal("text") }),
    // llama.cpp's server, Together and others put the schema here.
    z.object({ type: z.literal("json_object"), schema: schemaField, json_schema: named }),
    z.object({ type: z.literal("json_schema"), schema: schemaField, json_schema: named }),
  ],
  {
    error:
      'expected { type: "text" }, { type: "json_object" } or { type: "json_schema", json_schema: { schema } }',
  },
);

/**
 * The schema of the answer, in any of the fields in use: OpenAI's `response_format`,
 * `json_schema` of llama.cpp's server, `guided_json` and `structured_outputs` of vLLM. Undefined is plain
 * text.
 */
export const responseFormatPart: RequestPart<AskedSchema | undefined> = requestPart(
  {
    response_format: optional(format),
    json_schema: schemaField,
    guided_json: optional(z.union([z.string(), anyFields])),
    structured_outputs: optional(
      z.object({
        json: optional(z.union([z.string(), anyFields])),
        json_object: optional(z.boolean()),
      }),
    ),
  },
  ({ response_format: given, json_schema: schema, guided_json: guided, structured_outputs: outputs }) => {
    const found = [
      given === undefined ? undefined : inFormat(given),
      schema === undefined ? undefined : { param: "json_schema", schema },
      guided === undefined ? undefined : parsed("guided_json", guided),
      outputs?.json === undefined ? undefined : parsed("structured_outputs.json", outputs.json),
      outputs?.json_object === true
        ? { param: "structured_outputs.json_object", schema: anyObject }
        : undefined,
    ].filter((each) => each !== undefined);
    const [first, second] = found;
    if (second !== undefined) {
      throw badRequest(second.param, `Invalid ${second.param}: ${first?.param} gives a schema too; give one`);
    }
    return first;
  },
);

function inFormat(given: z.infer<typeof format>): AskedSchema | undefined {
  const param = "response_format";
  if (given.type === "text") return undefined;
  const inside = given.json_schema?.schema;
  if (given.schema !== undefined && inside !== undefined) {
    throw badRequest(`${param}.schema`, `Invalid ${param}: it has two schemas; give one`);
  }
  const schema = given.schema ?? inside;
  if (schema === undefined && given.type === "json_schema") {
    const missing = `${param}.json_schema.schema`;
    throw badRequest(missing, `Invalid ${missing}: expected a JSON schema; for any object, use json_object`);
  }
  return { param, schema: schema ?? anyObject };
}

/** vLLM takes a schema also as a text. */
function parsed(param: string, given: string | object): AskedSchema {
  if (typeof given !== "string") return { param, schema: given };
  try {
    const schema = JSON.parse(given) as unknown;
    if (typeof schema === "object" && schema !== null) return { param, schema };
  } catch {
    // The failure below says what was expected.
  }
  throw badRequest(param, `Invalid ${param}: expected a JSON schema, as an object or as its text`);
}
