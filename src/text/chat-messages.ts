/** One turn of a conversation. */
export interface ChatMessage {
  /** The speaker. */
  readonly role: "system" | "user" | "assistant";
  /** The text. */
  readonly content: string;
  /** An assistant's thoughts before its answer. Many templates leave them out of later prompts. */
  readonly thinking?: string | undefined;
}

/** A function that a model asks to be called. */
export interface ToolCall {
  readonly id?: string | undefined;
  readonly name: string;
  /** An object, by the names of parameters. */
  readonly arguments: unknown;
}

/** One turn of a conversation in which tools are used. */
export interface ToolMessage {
  readonly role: ChatMessage["role"] | "tool";
  readonly content: string;
  readonly thinking?: string | undefined;
  /** The calls that an assistant asked for. */
  readonly toolCalls?: readonly ToolCall[] | undefined;
  /** The call that a tool's content answers, and the tool's name. */
  readonly toolCallId?: string | undefined;
  readonly toolName?: string | undefined;
}

/** A function that a model may ask for, as templates expect it: OpenAI's form. */
export interface Tool {
  readonly type: "function";
  readonly function: {
    readonly name: string;
    readonly description?: string | undefined;
    readonly parameters?: unknown;
  };
}
