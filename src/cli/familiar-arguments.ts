import type { Command } from "commander";
import { BitNetError } from "../errors.js";

/** Flags of llama.cpp and other programs, and the flag here that means the same. */
const sameFlags: ReadonlyMap<string, string> = new Map([
  ["--temperature", "--temp"],
  ["--n-predict", "--max-tokens"],
  ["--predict", "--max-tokens"],
  ["--ctx-size", "--ctx"],
  ["--context-length", "--ctx"],
  ["--api_key", "--api-key"],
]);

/** Flags of other programs without a meaning here, and the reason. */
const refusedFlags: ReadonlyMap<string, string> = new Map(
  [
    {
      flags: ["-ngl", "--n-gpu-layers", "--gpu-layers", "-fa", "--flash-attn"],
      reason: "the model runs on the CPU; leave it out",
    },
    {
      flags: ["-ctk", "--cache-type-k", "-ctv", "--cache-type-v"],
      reason: "keys and values have one type here; use --cache-type f16 or --cache-type int8",
    },
  ].flatMap(({ flags, reason }) => flags.map((flag): [string, string] => [flag, reason])),
);

/** Flags that name the model. Here it is the first argument after the command. */
const modelFlags: ReadonlySet<string> = new Set(["-m", "--model"]);

/** Words of other programs for a command or a flag of the program itself. */
const sameCommands: ReadonlyMap<string, string> = new Map([
  ["version", "--version"],
  ["show", "inspect"],
  ["ls", "list"],
  ["remove", "rm"],
]);

/**
 * Translates the words of llama.cpp and Ollama into this program's: `-m model.gguf` becomes the model, and
 * `--temperature` becomes `--temp`. Values of flags stay as they are.
 *
 * @param words the arguments after the program's name
 * @throws BitNetError INVALID_ARGUMENT for a flag that has no meaning here
 */
export function translateArguments(words: readonly string[], commands: readonly Command[]): string[] {
  const [first, ...rest] = words;
  if (first === undefined) return [];
  const known = commands.find((command) => command.name() === first);
  const name = known === undefined ? (sameCommands.get(first) ?? first) : first;
  const command = commands.find((candidate) => candidate.name() === name);
  if (command === undefined) return [name, ...rest];
  const takesModel = /^models?$/.test(command.registeredArguments[0]?.name() ?? "");
  const options = new Map(
    command.options.flatMap((option) => [[option.short, option] as const, [option.long, option] as const]),
  );
  const model: string[] = [];
  const translated: string[] = [];
  for (let index = 0; index < rest.length; index += 1) {
    const word = rest[index] ?? "";
    if (word === "--") return [name, ...model, ...translated, ...rest.slice(index)];
    const [flag = "", ...value] = word.startsWith("--") ? word.split("=") : [word];
    if (takesModel && modelFlags.has(flag) && !options.has(flag)) {
      model.push(...(value.length > 0 ? [value.join("=")] : rest.slice(index + 1, index + 2)));
      if (value.length === 0) index += 1;
      continue;
    }
    const here = options.has(flag) ? flag : (sameFlags.get(flag) ?? flag);
    const option = options.get(here);
    const reason = option === undefined ? refusedFlags.get(flag) : undefined;
    if (reason !== undefined) throw new BitNetError("INVALID_ARGUMENT", `Cannot use ${flag}: ${reason}`);
    translated.push(option === undefined ? word : [here, ...value].join("="));
    // The next word is this flag's value, also if it looks like a flag.
    if (option?.required && value.length === 0 && index + 1 < rest.length) {
      index += 1;
      translated.push(rest[index] ?? "");
    }
  }
  return [name, ...model, ...translated];
}
