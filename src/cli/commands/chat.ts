import { readFile, writeFile } from "node:fs/promises";
import { createInterface, type Interface } from "node:readline";
import type { Command } from "commander";
import { BitNetError } from "../../errors.js";
import type { Chat } from "../../generation/chat.js";
import { resolveGenerateOptions } from "../../generation/resolve-options.js";
import type { GenerateOptions } from "../../options/generate-options.js";
import type { LanguageModel } from "../../language-model/language-model.js";
import type { ChatMessage } from "../../text/chat-template.js";
import type { CliCommand } from "../command.js";
import { parseNumber } from "../flag-values.js";
import { addFlags, expertFlags, generateFlags, loadFlags, readFlags } from "../library-flags.js";
import { openModel, readLoadOptions } from "../open-model.js";
import type { Terminal } from "../terminal.js";
import { formatRate } from "../units.js";

interface ChatFlags extends Readonly<Record<string, unknown>> {
  readonly system?: string;
  readonly maxTokens?: number;
}

const slashHelp = `/reset           start again with the same system message
/system [text]   start again with another system message, or without one
/save <file>     write the conversation as JSON
/load <file>     continue a saved conversation
/stats           tokens, context and speed
/exit            leave; so does Ctrl-D
A line that ends in \\ continues on the next line. Ctrl-C stops an answer. Between answers it leaves.`;

export const chat: CliCommand = {
  name: "chat",
  summary: "Talk with a model",
  define(command: Command, terminal: Terminal): void {
    command
      .argument(
        "[model]",
        "a GGUF file, a checkpoint folder, or a name such as hf:owner/repo (default: the embedded model)",
      )
      .option("-s, --system <text>", "system message: instructions before the conversation")
      .option(
        "-n, --max-tokens <count>",
        "maximum tokens of an answer (default: what the context holds)",
        parseNumber,
      );
    for (const table of [generateFlags, loadFlags, expertFlags]) addFlags(command, table);
    command
      .addHelpText(
        "after",
        `\nIn the conversation:\n${slashHelp}\n\nExamples:\n  bitnet chat model.gguf --system "You are helpful."\n  echo "Hello" | bitnet chat model.gguf -n 64`,
      )
      .action((path: string | undefined, flags: ChatFlags) => runChat(path, flags, terminal));
  },
};

async function runChat(path: string | undefined, flags: ChatFlags, terminal: Terminal): Promise<void> {
  const options: GenerateOptions = { ...readFlags(flags, generateFlags), maxTokens: flags.maxTokens };
  // The library checks this too, but only after loading the model.
  resolveGenerateOptions(options);
  const { model } = await openModel(path, readLoadOptions(flags), terminal);
  const lines = createInterface({
    input: process.stdin,
    // Input from a pipe is not echoed.
    output: process.stdin.isTTY ? process.stdout : undefined,
    terminal: process.stdin.isTTY && process.stdout.isTTY,
    prompt: "> ",
  });
  const stop = (): void => lines.close();
  terminal.signal.addEventListener("abort", stop);
  try {
    if (process.stdin.isTTY) terminal.note(`${model.info.name || "model"}: /help lists the commands`);
    await converse({ model, lines, terminal, options, system: flags.system });
  } finally {
    terminal.signal.removeEventListener("abort", stop);
    lines.close();
    await model.dispose();
  }
}

interface Talk {
  readonly model: LanguageModel;
  readonly lines: Interface;
  readonly terminal: Terminal;
  readonly options: GenerateOptions;
  readonly system: string | undefined;
}

/** Metrics of the last answer. */
interface AnswerStats {
  readonly promptTokens: number;
  readonly generatedTokens: number;
  readonly tokensPerSecond: number;
}

async function converse({ model, lines, terminal, options, system }: Talk): Promise<void> {
  let conversation = model.chat({ system });
  let stats: AnswerStats | undefined;
  let answering: AbortController | undefined;
  lines.on("SIGINT", () => {
    if (answering === undefined) lines.close();
    else answering.abort(new BitNetError("ABORTED", "Stopped by Ctrl-C"));
  });

  const begin = (next: string | undefined): void => {
    conversation.dispose();
    conversation = model.chat({ system: next });
  };
  const slashes: Readonly<Record<string, (argument: string) => Promise<void> | void>> = {
    help: () => terminal.note(slashHelp),
    reset: () => begin(systemOf(conversation)),
    system: (text) => begin(text === "" ? undefined : text),
    save: async (file) => {
      if (file === "") throw new BitNetError("INVALID_ARGUMENT", "/save needs the name of a file");
      await writeFile(file, `${JSON.stringify({ messages: conversation.messages }, undefined, 2)}\n`);
      terminal.note(`${conversation.messages.length} messages saved to ${file}`);
    },
    load: async (file) => {
      if (file === "") throw new BitNetError("INVALID_ARGUMENT", "/load needs the name of a file");
      const messages = parseMessages(await readFile(file, "utf8"), file);
      conversation.restart(messages);
      terminal.note(`${messages.length} messages loaded from ${file}`);
    },
    stats: () => terminal.note(describe(conversation, model, stats)),
  };

  async function answer(text: string): Promise<void> {
    const controller = new AbortController();
    answering = controller;
    const before = conversation.droppedMessages;
    const started = performance.now();
    let first = started;
    try {
      for await (const piece of conversation.send(text, { ...options, signal: controller.signal })) {
        if (first === started) first = performance.now();
        terminal.write(piece.text);
        if (piece.usage === undefined) continue;
        const { promptTokens, generatedTokens } = piece.usage;
        const seconds = (performance.now() - first) / 1000;
        stats = { promptTokens, generatedTokens, tokensPerSecond: (generatedTokens - 1) / seconds };
      }
    } catch (error) {
      // The user stopped the answer: not a failure.
      if (!controller.signal.aborted) throw error;
    } finally {
      answering = undefined;
      terminal.write("\n");
    }
    const dropped = conversation.droppedMessages - before;
    if (dropped > 0) terminal.note(`(${dropped} messages dropped from the beginning: the context is full)`);
    if (stats !== undefined && Number.isFinite(stats.tokensPerSecond) && process.stdin.isTTY)
      terminal.note(`(${formatRate(stats.tokensPerSecond)} tokens/s)`);
  }

  let pending = "";
  if (process.stdin.isTTY) lines.prompt();
  try {
    for await (const line of lines) {
      if (line.endsWith("\\")) {
        pending += `${line.slice(0, -1)}\n`;
        continue;
      }
      const text = (pending + line).trim();
      pending = "";
      if (text === "/exit" || text === "/quit") return;
      try {
        const [, name, argument = ""] = /^\/(\S+)\s*(.*)$/s.exec(text) ?? [];
        const slash =
          name === undefined ? undefined : Object.hasOwn(slashes, name) ? slashes[name] : undefined;
        if (slash !== undefined) await slash(argument.trim());
        else if (name !== undefined) terminal.note(`Unknown command /${name}: /help lists them`);
        else if (text !== "") await answer(text);
      } catch (error) {
        // A failed command does not end the conversation.
        if (terminal.signal.aborted || !process.stdin.isTTY) throw error;
        terminal.note(error instanceof Error ? error.message : String(error));
      }
      if (terminal.signal.aborted) return;
      if (process.stdin.isTTY) lines.prompt();
    }
  } finally {
    conversation.dispose();
  }
}

function systemOf({ messages }: Chat): string | undefined {
  return messages[0]?.role === "system" ? messages[0].content : undefined;
}

function describe(
  { messages, droppedMessages }: Chat,
  { info }: LanguageModel,
  stats: AnswerStats | undefined,
): string {
  const about = `${messages.length} messages, ${droppedMessages} dropped; context of ${info.contextLength} tokens`;
  if (stats === undefined) return about;
  const { promptTokens, generatedTokens, tokensPerSecond } = stats;
  return `${about}; last answer: ${generatedTokens} tokens after ${promptTokens}, ${formatRate(tokensPerSecond)} tokens/s`;
}

/** @throws BitNetError INVALID_ARGUMENT unless the text has the form that /save writes. */
function parseMessages(json: string, file: string): ChatMessage[] {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new BitNetError("INVALID_ARGUMENT", `Cannot load "${file}": it is not JSON`, { cause });
  }
  const { messages } = (value ?? {}) as { readonly messages?: unknown };
  if (!Array.isArray(messages) || !messages.every(isMessage)) {
    throw new BitNetError(
      "INVALID_ARGUMENT",
      `Cannot load "${file}": expected { "messages": [{ "role": "user", "content": "…" }, …] }`,
    );
  }
  return messages;
}

function isMessage(value: unknown): value is ChatMessage {
  if (typeof value !== "object" || value === null) return false;
  const { role, content } = value as { readonly role?: unknown; readonly content?: unknown };
  return ["system", "user", "assistant"].includes(String(role)) && typeof content === "string";
}
