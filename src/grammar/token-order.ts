import { drain, inSlices, type Steps } from "../text/slices.js";
import type { Tokenizer } from "../text/tokenizer.js";
import type { Automaton, State } from "./automaton.js";

/** A vocabulary's tokens in the order of their bytes: tokens with a shared prefix are neighbours. */
export interface TokenOrder {
  readonly ids: Int32Array;
  readonly bytes: readonly Uint8Array[];
  /** Length of the prefix that each token shares with the one before it, in bytes. */
  readonly shared: Uint16Array;
}

const orders = new WeakMap<Tokenizer, TokenOrder>();
const making = new WeakMap<Tokenizer, Promise<TokenOrder>>();
/** About a millisecond. */
const tokensPerStep = 2048;

/** The tokens with bytes, without control tokens and ends of generation. Computed once for each tokenizer. */
export function tokenOrder(tokenizer: Tokenizer): TokenOrder {
  const known = orders.get(tokenizer);
  if (known !== undefined) return known;
  const order = drain(orderSteps(tokenizer));
  orders.set(tokenizer, order);
  return order;
}

/** Computes the order in slices, if it is not known. A vocabulary of 128 000 tokens takes half a second. */
export async function prepareTokenOrder(tokenizer: Tokenizer): Promise<void> {
  if (orders.has(tokenizer)) return;
  const order = making.get(tokenizer) ?? inSlices(orderSteps(tokenizer));
  making.set(tokenizer, order);
  orders.set(tokenizer, await order);
}

function* orderSteps(tokenizer: Tokenizer): Steps<TokenOrder> {
  /** The tokens by their first two letters: one list for all would be sorted at once. */
  const groups = new Map<string, Map<string, number[]>>();
  for (let id = 0; id < tokenizer.vocabSize; id += 1) {
    if (id % tokensPerStep === 0) yield;
    const bytes = tokenizer.tokenBytes(id);
    if (bytes.length === 0 || tokenizer.endOfGenerationIds.has(id)) continue;
    // One letter for each byte: engines sort strings ten times as fast as arrays with a comparison function.
    const letters = String.fromCharCode(...bytes);
    const begin = letters.slice(0, 2);
    let idsOf = groups.get(begin);
    if (idsOf === undefined) groups.set(begin, (idsOf = new Map<string, number[]>()));
    const known = idsOf.get(letters);
    if (known === undefined) idsOf.set(letters, [id]);
    else known.push(id);
  }
  const ids: number[] = [];
  const bytes: Uint8Array[] = [];
  const shared: number[] = [];
  for (const begin of [...groups.keys()].sort()) {
    yield;
    const idsOf = groups.get(begin);
    for (const letters of [...(idsOf?.keys() ?? [])].sort()) {
      for (const id of idsOf?.get(letters) ?? []) {
        const token = tokenizer.tokenBytes(id);
        shared.push(commonBytes(token, bytes.at(-1)));
        ids.push(id);
        bytes.push(token);
      }
    }
  }
  return { ids: Int32Array.from(ids), bytes, shared: Uint16Array.from(shared) };
}

/** Sets a bit for every token that may follow a state. @returns the number of these tokens. */
export function markTokens(
  { ids, bytes, shared }: TokenOrder,
  automaton: Automaton,
  state: State,
  bits: Int32Array,
): number {
  /** The states after the bytes of the previous token, as far as these fit. */
  const path: State[] = [state];
  let count = 0;
  for (let index = 0; index < ids.length; index += 1) {
    const length = shared[index] ?? 0;
    // The previous token failed at a byte that both share, so this token fails too.
    if (length >= path.length) continue;
    path.length = length + 1;
    const token = bytes[index] ?? noBytes;
    let fits = true;
    for (let at = length; at < token.length; at += 1) {
      const next = automaton.next(path[at] ?? state, token[at] ?? 0);
      if (next === undefined) {
        fits = false;
        break;
      }
      path.push(next);
    }
    if (!fits) continue;
    const id = ids[index] ?? 0;
    bits[id >> 5] = (bits[id >> 5] ?? 0) | (1 << (id & 31));
    count += 1;
  }
  return count;
}

const noBytes = new Uint8Array(0);

function commonBytes(a: Uint8Array, b: Uint8Array | undefined): number {
  if (b === undefined) return 0;
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length += 1;
  return length;
}
