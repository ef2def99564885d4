import { Argument, type Command } from "commander";
import type { CliCommand } from "../command.js";
import type { Terminal } from "../terminal.js";

const help = `
Prints a script that completes commands, options, their choices, and paths. Load it at the start of a shell:
  bash  source <(bitnet completion bash)                                     in ~/.bashrc
  zsh   source <(bitnet completion zsh)                                      in ~/.zshrc, after compinit
  fish  bitnet completion fish > ~/.config/fish/completions/bitnet.fish      once

Examples:
  bitnet completion bash
  bitnet completion fish`;

/** The words that a shell can complete after a command. */
interface Words {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly OptionWords[];
}

interface OptionWords {
  readonly flags: readonly string[];
  readonly summary: string;
  /** Undefined if any value is allowed; empty if the option has no value. */
  readonly choices: readonly string[] | undefined;
}

const scripts: Readonly<Record<string, (commands: readonly Words[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

export const completion: CliCommand = {
  name: "completion",
  summary: "Print a completion script for a shell",
  define(command: Command, terminal: Terminal): void {
    command
      .addArgument(new Argument("<shell>", "the shell").choices(Object.keys(scripts)))
      .addHelpText("after", help)
      .action((shell: string) => {
        const commands = (command.parent?.commands ?? []).map(wordsOf);
        terminal.write(scripts[shell]?.(commands) ?? "");
      });
  },
};

function wordsOf(command: Command): Words {
  const options = command.createHelp().visibleOptions(command);
  return {
    name: command.name(),
    summary: command.description(),
    options: options.map(({ short, long, description, argChoices, required, optional }) => ({
      flags: [short, long].filter((flag) => flag !== undefined),
      summary: description.split("\n")[0] ?? "",
      choices: required || optional ? argChoices : [],
    })),
  };
}

/** Text between single quotes of a POSIX shell, and of fish. */
const quoted = (text: string): string => `'${text.replaceAll("\\", "").replaceAll("'", "")}'`;
const flagsOf = ({ options }: Words): string => options.flatMap(({ flags }) => flags).join(" ");

function bashScript(commands: readonly Words[]): string {
  const names = commands.map(({ name }) => name).join(" ");
  const choices = commands.flatMap(({ name, options }) =>
    options
      .filter(({ choices }) => choices !== undefined && choices.length > 0)
      .map(
        ({ flags, choices = [] }) =>
          `    ${flags.map((flag) => `${name}:${flag}`).join("|")}) COMPREPLY=($(compgen -W '${choices.join(" ")}' -- "$word")); return ;;`,
      ),
  );
  const flags = commands.map((words) => `    ${words.name}) flags='${flagsOf(words)}' ;;`);
  return `# bash completion for bitnet
_bitnet() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" command="\${COMP_WORDS[1]}" flags=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${names} help --help --version' -- "$word"))
    return
  fi
  case "$command:$before" in
${choices.join("\n")}
  esac
  case "$command" in
${flags.join("\n")}
  esac
  if [[ "$word" == -* ]]; then COMPREPLY=($(compgen -W "$flags" -- "$word")); fi
}
# Words that are no command or flag are paths.
complete -o default -o bashdefault -F _bitnet bitnet bitnet-wasm
`;
}

function zshScript(commands: readonly Words[]): string {
  const names = commands.map(({ name, summary }) => quoted(`${name}:${summary.replaceAll(":", " ")}`));
  const cases = commands.map(({ name, options }) => {
    const lines = options.flatMap(({ flags, summary, choices }) => {
      const text = summary.replaceAll(/[[\]:]/g, " ");
      const value =
        choices === undefined ? ":value:_files" : choices.length > 0 ? `:value:(${choices.join(" ")})` : "";
      return flags.map((flag) => quoted(`${flag}[${text}]${value}`));
    });
    return `    ${name}) _arguments ${[...lines, "'*:file:_files'"].join(" ")} ;;`;
  });
  return `#compdef bitnet bitnet-wasm
_bitnet() {
  local -a commands=(${names.join(" ")})
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command="$words[2]"
  shift words
  (( CURRENT -= 1 ))
  case "$command" in
${cases.join("\n")}
    *) _files ;;
  esac
}
compdef _bitnet bitnet bitnet-wasm
`;
}

function fishScript(commands: readonly Words[]): string {
  const lines = commands.flatMap(({ name, summary, options }) => [
    `  complete -c $program -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
    ...options.map(({ flags, summary: text, choices }) => {
      const names = flags.map((flag) =>
        flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-${flag.length === 2 ? "s" : "o"} ${flag.slice(1)}`,
      );
      const value =
        choices === undefined ? ["-r"] : choices.length > 0 ? [`-x -a ${quoted(choices.join(" "))}`] : [];
      const condition = quoted(`__fish_seen_subcommand_from ${name}`);
      return ["  complete -c $program -n", condition, ...names, ...value, `-d ${quoted(text)}`].join(" ");
    }),
  ]);
  return `# fish completion for bitnet
for program in bitnet bitnet-wasm
${lines.join("\n")}
end
`;
}
