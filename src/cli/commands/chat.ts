import { readFile, writeFile } from "node:fs/promises";
import { createInterface, type Interface } from "node:readline";
import type { Command } from "commander";
import { BitNetError } from "../../errors.js";
import type { Chat, SendOptions, TemplateOptions } from "../../generation/chat.js";
import type { GeneratedPiece } from "../../generation/generated-piece.js";
import { resolveGenerateOptions } from "../../generation/resolve-options.js";
import type { GenerateOptions } from "../../options/generate-options.js";
import type { LanguageModel } from "../../language-model/language-model.js";
import { checkVariables } from "../../text/template-variables.js";
import { createAnswerPrinter } from "../answer-printer.js";
import type { CliCommand } from "../command.js";
import { formatConversation, parseConversation } from "../conversation-file.js";
import { collectVariable, parseNumber } from "../flag-values.js";
import {
  addFlags,
  expertFlags,
  generateFlags,
  loadFlags,
  templateFlags,
  readFlags,
  thinkingFlags,
} from "../library-flags.js";
import { openModel, readLoadOptions } from "../open-model.js";
import type { Terminal } from "../terminal.js";
import { formatRate } from "../units.js";

interface ChatFlags extends Readonly<Record<string, unknown>> {
  readonly system?: string;
  readonly maxTokens?: number;
  readonly think?: boolean;
  readonly templateVar?: TemplateOptions["templateVariables"];
}

const slashHelp = `/reset           start again with the same system message
/system [text]   start again with another system message, or without one
/save <file>     write the conversation as JSON
/load <file>     continue a saved conversation
/think           let the model think before its answers
/no_think        let it answer at once
/continue        continue the last answer
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
      )
      .option("--think", "let the model think before its answers (default: the chat template decides)")
      .option("--no-think", "let the model answer at once");
    for (const table of [thinkingFlags, generateFlags, loadFlags, templateFlags, expertFlags])
      addFlags(command, table);
    command
      .option(
        "--template-var <name=value>",
        "variable of the chat template, such as enable_thinking=false; may be given several times",
        collectVariable,
      )
      .addHelpText(
        "after",
        `\nIn the conversation:\n${slashHelp}\n\nExamples:\n  bitnet chat model.gguf --system "You are helpful."\n  echo "Hello" | bitnet chat model.gguf -n 64`,
      )
      .action((path: string | undefined, flags: ChatFlags) => runChat(path, flags, terminal));
  },
};

async function runChat(path: string | undefined, flags: ChatFlags, terminal: Terminal): Promise<void> {
  const options: GenerateOptions = {
    ...readFlags(flags, [...generateFlags, ...thinkingFlags]),
    maxTokens: flags.maxTokens,
  };
  // The library checks this too, but only after loading the model.
  resolveGenerateOptions({ ...options, thoughts: null });
  checkVariables(flags.templateVar ?? {});
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
    const { system, think: thinking, templateVar: templateVariables } = flags;
    await converse({ model, lines, terminal, options, system, template: { thinking, templateVariables } });
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
  readonly template: TemplateOptions;
}

/** Metrics of the last answer. */
interface AnswerStats {
  readonly promptTokens: number;
  readonly generatedTokens: number;
  readonly tokensPerSecond: number;
}

async function converse({ model, lines, terminal, options, system, template }: Talk): Promise<void> {
  let conversation = model.chat({ system, ...template });
  /** Set by /think and /no_think. */
  let thinking: boolean | undefined;
  let stats: AnswerStats | undefined;
  let answering: AbortController | undefined;
  lines.on("SIGINT", () => {
    if (answering === undefined) lines.close();
    else answering.abort(new BitNetError("ABORTED", "Stopped by Ctrl-C"));
  });

  const begin = (next: string | undefined): void => {
    conversation.dispose();
    conversation = model.chat({ system: next, ...template });
  };
  const switchThinking = ({ on }: { readonly on: boolean }): void => {
    // It refuses what the model cannot do.
    model.chat({ thinking: on }).dispose();
    thinking = on;
    terminal.note(`thinking is ${on ? "on" : "off"}`);
  };
  const slashes: Readonly<Record<string, (argument: string) => Promise<void> | void>> = {
    help: () => terminal.note(slashHelp),
    reset: () => begin(systemOf(conversation)),
    system: (text) => begin(text === "" ? undefined : text),
    save: async (file) => {
      if (file === "") throw new BitNetError("INVALID_ARGUMENT", "/save needs the name of a file");
      await writeFile(file, formatConversation(conversation.messages));
      terminal.note(`${conversation.messages.length} messages saved to ${file}`);
    },
    load: async (file) => {
      if (file === "") throw new BitNetError("INVALID_ARGUMENT", "/load needs the name of a file");
      const messages = parseConversation(await readFile(file, "utf8"), file);
      conversation.restart(messages);
      terminal.note(`${messages.length} messages loaded from ${file}`);
    },
    think: () => switchThinking({ on: true }),
    no_think: () => switchThinking({ on: false }),
    continue: () => answer((send) => conversation.continueLast(send)),
    stats: () => terminal.note(describe(conversation, model, stats)),
  };

  async function answer(write: (options: SendOptions) => AsyncIterable<GeneratedPiece>): Promise<void> {
    const printer = createAnswerPrinter(terminal.write, {
      dims: process.stdout.isTTY && process.env.NO_COLOR === undefined,
    });
    const controller = new AbortController();
    answering = controller;
    const before = conversation.droppedMessages;
    const started = performance.now();
    let first = started;
    try {
      for await (const piece of write({ ...options, thinking, signal: controller.signal })) {
        if (first === started) first = performance.now();
        printer.print(piece);
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
      printer.end();
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
        else if (text !== "") await answer((send) => conversation.send(text, send));
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
