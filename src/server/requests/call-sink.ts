import type { ToolSyntax } from "../../text/tool-syntax.js";
import type { IncomingText, Reading } from "./incoming-text.js";

/** Takes the calls that are read. */
export interface CallSink {
  /** Whether there is such a tool. */
  knows(name: string): boolean;
  begin(name: string): void;
  /** Adds to the arguments of the call, as JSON text. */
  write(text: string): void;
  end(): void;
}

/** Reads the calls at the reader's place. @returns whether there was at least one. */
export type CallReader = (incoming: IncomingText, sink: CallSink, syntax: ToolSyntax) => Reading<boolean>;
