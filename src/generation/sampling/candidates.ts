/** The largest float32. */
const LARGEST = 3.4028234663852886e38;

/** +Infinity, which only a broken model gives, would make NaN of every difference; it becomes the largest float32. */
export function bounded(logit: number): number {
  return logit > LARGEST ? LARGEST : logit;
}

/**
 * The likeliest tokens of a vocabulary, likeliest first; of equal logits the lower id comes first. Tokens whose logit is
 * −Infinity or NaN are no candidates. Buffers are kept from one token to the next.
 */
export class Candidates {
  #ids = new Int32Array(0);
  #logits = new Float32Array(0);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Token of the candidate at `index`. */
  id(index: number): number {
    return this.#ids[index] ?? 0;
  }

  /** Finite logit of the candidate at `index`. */
  logit(index: number): number {
    return this.#logits[index] ?? 0;
  }

  /** Keeps the first `count` candidates. */
  truncate(count: number): void {
    if (count < this.#count) this.#count = count;
  }

  /** Keeps the first `limit` of those that are allowed. */
  filter(allows: (id: number) => boolean, limit: number): void {
    let kept = 0;
    for (let index = 0; index < this.#count && kept < limit; index++) {
      if (allows(this.id(index))) this.#move(index, kept++);
    }
    this.#count = kept;
  }

  /** Takes every token, in the order of the ids instead: for drawing, any order does, and sorting all would be slow. */
  takeAll(logits: Float32Array): void {
    this.#reserve(logits.length);
    for (let id = 0; id < logits.length; id++) {
      const logit = bounded(logits[id] ?? 0);
      if (logit > -Infinity) this.#set(this.#count++, id, logit);
    }
  }

  /** Takes the `limit` likeliest tokens, without sorting the rest: a heap of `limit`, its worst on top, meets all or those `among`. */
  takeLikeliest(logits: Float32Array, limit: number, among?: readonly number[]): void {
    const size = Math.min(limit, logits.length);
    this.#reserve(size);
    let worst = -Infinity;
    const count = among?.length ?? logits.length;
    for (let index = 0; index < count; index++) {
      const id = among?.[index] ?? index;
      const logit = bounded(logits[id] ?? 0);
      if (this.#count < size) {
        if (!(logit > -Infinity)) continue;
        this.#siftUp(this.#count++, id, logit);
        if (this.#count === size) worst = this.logit(0);
      } else if (logit > worst) {
        // An equal logit has a higher id than all in the heap, so it would be last.
        this.#siftDown(id, logit, size);
        worst = this.logit(0);
      }
    }
    // Heap sort: the worst moves to the end, again and again.
    for (let end = this.#count - 1; end > 0; end--) {
      const id = this.id(end);
      const logit = this.logit(end);
      this.#move(0, end);
      this.#siftDown(id, logit, end);
    }
  }

  #reserve(size: number): void {
    this.#count = 0;
    if (this.#ids.length >= size) return;
    this.#ids = new Int32Array(size);
    this.#logits = new Float32Array(size);
  }

  #set(index: number, id: number, logit: number): void {
    this.#ids[index] = id;
    this.#logits[index] = logit;
  }

  #move(from: number, to: number): void {
    this.#ids[to] = this.id(from);
    this.#logits[to] = this.logit(from);
  }

  /** Whether the candidate at `index` is less likely than another token. */
  #isWorse(index: number, id: number, logit: number): boolean {
    const own = this.logit(index);
    return own < logit || (own === logit && this.id(index) > id);
  }

  /** Adds a token to the heap at its end. */
  #siftUp(end: number, id: number, logit: number): void {
    let at = end;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#isWorse(parent, id, logit)) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#set(at, id, logit);
  }

  /** Puts a token at the top of the heap of `size` in place of the one there. */
  #siftDown(id: number, logit: number, size: number): void {
    let at = 0;
    for (let child = 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && this.#isWorse(child + 1, this.id(child), this.logit(child))) child++;
      if (!this.#isWorse(child, id, logit)) break;
      this.#move(child, at);
      at = child;
    }
    this.#set(at, id, logit);
  }
}
