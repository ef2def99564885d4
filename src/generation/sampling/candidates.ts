const largestFloat32 = 3.4028234663852886e38;

/** Replaces +Infinity, which only a broken model gives, by the largest float32. Differences would be NaN. */
export function bounded(logit: number): number {
  return logit > largestFloat32 ? largestFloat32 : logit;
}

/**
 * The likeliest tokens of a vocabulary, likeliest first; of equal logits the lower id comes first. Tokens
 * with a logit of −Infinity or NaN are no candidates. Buffers are reused from one token to the next.
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

  /** Keeps the first `limit` allowed candidates. */
  filter(allows: (id: number) => boolean, limit: number): void {
    let kept = 0;
    for (let index = 0; index < this.#count && kept < limit; index += 1) {
      if (!allows(this.id(index))) continue;
      this.#move(index, kept);
      kept += 1;
    }
    this.#count = kept;
  }

  /** Takes every token, in the order of the ids. A draw works in any order, and sorting all would be slow. */
  takeAll(logits: Float32Array): void {
    this.#reserve(logits.length);
    for (let id = 0; id < logits.length; id += 1) {
      const logit = bounded(logits[id] ?? 0);
      if (!(logit > -Infinity)) continue;
      this.#set(this.#count, id, logit);
      this.#count += 1;
    }
  }

  /**
   * Takes the `limit` likeliest tokens of all, or of `among`, without sorting the rest: tokens pass through a
   * heap of `limit` candidates with the worst on top.
   */
  takeLikeliest(logits: Float32Array, limit: number, among?: readonly number[]): void {
    const size = Math.min(limit, logits.length);
    this.#reserve(size);
    let worst = -Infinity;
    const count = among?.length ?? logits.length;
    for (let index = 0; index < count; index += 1) {
      const id = among?.[index] ?? index;
      const logit = bounded(logits[id] ?? 0);
      if (this.#count < size) {
        if (!(logit > -Infinity)) continue;
        this.#siftUp(this.#count, id, logit);
        this.#count += 1;
        if (this.#count === size) worst = this.logit(0);
      } else if (logit > worst) {
        // A token of equal logit has a higher id than the heap's, so it would be last.
        this.#siftDown(id, logit, size);
        worst = this.logit(0);
      }
    }
    // Heap sort: the worst moves to the end, again and again.
    for (let end = this.#count - 1; end > 0; end -= 1) {
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

  /** Replaces the token at the top of the heap of `size`. */
  #siftDown(id: number, logit: number, size: number): void {
    let at = 0;
    for (let child = 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && this.#isWorse(child + 1, this.id(child), this.logit(child))) child += 1;
      if (!this.#isWorse(child, id, logit)) break;
      this.#move(child, at);
      at = child;
    }
    this.#set(at, id, logit);
  }
}
