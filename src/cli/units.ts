/** "1.19 GB": decimal units, as disks and `ls -h --si` count. */
export function formatBytes(bytes: number): string {
  return bytes < 1000 ? `${bytes} B` : `${scaled(bytes)}B`;
}

/** "2.41 G", "4096": for counts of things. */
export function formatCount(count: number): string {
  return count < 10_000 ? String(count) : scaled(count).trimEnd();
}

/** "12.3 s", "345 ms". */
export function formatMs(ms: number): string {
  return ms < 9999.5 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** "0.412 J", "54.2 µJ". */
export function formatJoules(joules: number): string {
  const steps = ["J", "mJ", "µJ", "nJ", "pJ"];
  let step = 0;
  let rest = joules;
  while (rest > 0 && rest < 0.0995 && step < steps.length - 1) {
    rest *= 1000;
    step += 1;
  }
  return `${formatRate(rest)} ${steps[step] ?? ""}`;
}

/** "416", "35.2", "0.87": three significant digits. */
export function formatRate(perSecond: number): string {
  return perSecond >= 100 ? perSecond.toFixed(0) : perSecond.toPrecision(3);
}

function scaled(value: number): string {
  const steps = ["k", "M", "G", "T"];
  let step = 0;
  let rest = value / 1000;
  while (rest >= 999.5 && step < steps.length - 1) {
    rest /= 1000;
    step += 1;
  }
  return `${formatRate(rest)} ${steps[step] ?? ""}`;
}
