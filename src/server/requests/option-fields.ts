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
    return z.union([z.string().min(1), z.array(z.string().min(1)).max(maxStops)]);
  if (option.kind === "biases") return z.record(z.string().regex(/^\d+$/), bounded(z.number(), request));
  throw new TypeError(`Requests cannot carry options of kind ${option.kind}`);
}

function bounded(number: z.ZodNumber, { min, max, above }: NumberRange): z.ZodNumber {
  let schema = number;
  if (min !== undefined) schema = schema.min(min);
  if (max !== undefined) schema = schema.max(max);
  if (above !== undefined) schema = schema.gt(above);
  return schema;
}
