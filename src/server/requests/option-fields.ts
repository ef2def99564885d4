import { z } from "zod";
import type { GenerateOptions } from "../../options/generate-options.js";
import { isNumberOption, maxStops } from "../../options/ranges.js";
import {
  type NumberRange,
  type RequestField,
  type SamplingOption,
  samplingTable,
} from "../../options/sampling-table.js";
import { optional } from "./body.js";
import { anyFields, listOf } from "./fields.js";

/** The fields of one protocol that carry sampling options. */
export interface OptionFields {
  /** Shape of the fields, for z.object. Each may be absent or null. */
  readonly shape: Readonly<Record<string, z.ZodType>>;
  /** The options of checked fields, with the client's values. */
  readonly read: (fields: Readonly<Record<string, unknown>>) => GenerateOptions;
}

/** @param fieldOf the protocol's column of the sampling table. */
export function optionFields(fieldOf: (option: SamplingOption) => RequestField | undefined): OptionFields {
  const rows = samplingTable.flatMap((option) => {
    const request = fieldOf(option);
    if (request === undefined) return [];
    const { field, alias = field } = request;
    return [{ name: option.name, field, alias, schema: optional(fieldSchema(option, request)) }];
  });
  return {
    shape: Object.fromEntries(
      rows.flatMap(({ field, alias, schema }) => [
        [field, schema],
        [alias, schema],
      ]),
    ),
    // Each value passed the schema of its option.
    read: (fields) =>
      Object.fromEntries(rows.map(({ name, field, alias }) => [name, fields[alias] ?? fields[field]])),
  };
}

function fieldSchema(option: SamplingOption, request: RequestField): z.ZodType {
  if (isNumberOption(option)) {
    const number = option.kind === "integer" ? z.int() : z.number();
    return bounded(number, { ...option, ...request });
  }
  if (option.kind === "strings")
    return z.union([z.string().min(1), listOf(z.string().min(1), { max: maxStops })]);
  if (option.kind === "biases") return biases(bounded(z.number(), request));
  throw new TypeError(`Requests cannot carry options of kind ${option.kind}`);
}

/** Biases by token id. The first wrong one is reported. */
function biases(bias: z.ZodNumber): z.ZodType {
  return anyFields.superRefine((fields, context) => {
    for (const [id, value] of Object.entries(fields)) {
      if (!/^\d+$/.test(id)) {
        context.addIssue({ code: "custom", message: "expected the id of a token as its name", path: [id] });
        return;
      }
      const { error } = bias.safeParse(value);
      if (error === undefined) continue;
      const message = error.issues[0]?.message ?? "not as expected";
      context.addIssue({ code: "custom", message, path: [id] });
      return;
    }
  });
}

function bounded(number: z.ZodNumber, { min, max, above }: NumberRange): z.ZodNumber {
  let schema = number;
  if (min !== undefined) schema = schema.min(min);
  if (max !== undefined) schema = schema.max(max);
  if (above !== undefined) schema = schema.gt(above);
  return schema;
}
