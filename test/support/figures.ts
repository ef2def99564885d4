const largest = new Map<string, number>();

/**
 * Records the size of an error. Prints it if it is the largest of its name so far and BITNET_FIGURES is set.
 * This produces the measurements in docs/NUMERICS.md.
 */
export function recordFigure(name: string, value: number): void {
  if (value <= (largest.get(name) ?? -1)) return;
  largest.set(name, value);
  if (process.env.BITNET_FIGURES !== undefined) process.stdout.write(`${name}: ${value.toPrecision(6)}\n`);
}
