const largest = new Map<string, number>();

/**
 * Notes how large an error was, and prints it if it is the largest of its name so far and BITNET_FIGURES is set: how the
 * figures in docs/NUMERICS.md are made.
 */
export function recordFigure(name: string, value: number): void {
  if (value <= (largest.get(name) ?? -1)) return;
  largest.set(name, value);
  if (process.env.BITNET_FIGURES !== undefined) process.stdout.write(`${name}: ${value.toPrecision(6)}\n`);
}
