import { expect } from "vitest";
import { type Automaton, createAutomaton, type State } from "#dist/grammar/automaton.js";
import { jsonSchemaExpression } from "#dist/grammar/json-schema/json-schema.js";
import { compileExpression } from "#dist/grammar/program.js";

/** The automaton of a JSON schema. */
export function automatonOf(schema: unknown): Automaton {
  const program = compileExpression(jsonSchemaExpression(schema));
  if (program === undefined) throw new Error("nothing fits");
  return createAutomaton(program);
}

/** Whether a text is one of the automaton's. */
export function accepts(automaton: Automaton, text: string): boolean {
  let state: State | undefined = automaton.start;
  for (const byte of new TextEncoder().encode(text)) {
    state = automaton.next(state, byte);
    if (state === undefined) return false;
  }
  return state.accepting;
}

/** Walks at random to a valid text. Undefined if it takes too long. */
export function walk(automaton: Automaton, random: () => number): string | undefined {
  const bytes: number[] = [];
  let state = automaton.start;
  while (state.open && bytes.length < 2000) {
    if (state.accepting && random() < 0.5) break;
    const next: number[] = [];
    for (let byte = 0; byte < 256; byte += 1) if (automaton.next(state, byte) !== undefined) next.push(byte);
    // An open state that does not accept must have a next character. Otherwise a text could not be completed.
    expect(next.length).toBeGreaterThan(0);
    const ending = next.filter((byte) => '"]}'.includes(String.fromCharCode(byte)));
    const from = ending.length > 0 && random() < 0.5 ? ending : next;
    const byte = from[Math.floor(random() * from.length)] ?? 0;
    bytes.push(byte);
    state = automaton.next(state, byte) ?? state;
  }
  if (!state.accepting) return undefined;
  return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(bytes));
}

/** Numbers from 0 to 1, the same for every run. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
