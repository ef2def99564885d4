import { BitNetError } from "../errors.js";

/** Values that a template may ask for by name, such as `enable_thinking`. They must be JSON values. */
export type TemplateVariables = Readonly<Record<string, unknown>>;

/** The variable with which Qwen 3, MiniCPM4 and SmolLM3 switch thoughts on and off. */
export const thinkingSwitch = "enable_thinking";

/** The variables that every template has. */
const ownVariables: ReadonlySet<string> = new Set([
  ...["messages", "tools", "add_generation_prompt", "bos_token", "eos_token"],
  ...[
    "raise_exception",
    "range",
    "strftime_now",
    "namespace",
    "true",
    "false",
    "none",
    "True",
    "False",
    "None",
  ],
]);

/**
 * @throws BitNetError INVALID_ARGUMENT for a variable that JSON cannot hold; for one that every template has.
 */
export function checkVariables(variables: TemplateVariables): void {
  for (const [name, value] of Object.entries(variables)) {
    const problem = ownVariables.has(name)
      ? "templates are always given their own"
      : isJson(value)
        ? undefined
        : "its value is none that JSON can hold";
    if (problem === undefined) continue;
    throw new BitNetError("INVALID_ARGUMENT", `Cannot set the template variable "${name}": ${problem}`, {
      details: { variable: name },
    });
  }
}

function isJson(value: unknown, depth = 0): boolean {
  if (depth > 100) return false;
  if (value === undefined || value === null || typeof value === "string" || typeof value === "boolean")
    return true;
  if (typeof value === "number") return Number.isFinite(value);
  return typeof value === "object" && Object.values(value).every((item) => isJson(item, depth + 1));
}
