/**
 * exp and log from nothing but IEEE 754 additions, subtractions, multiplications and divisions of doubles.
 *
 * JavaScript leaves Math.exp and Math.log to each engine, and V8, JavaScriptCore and SpiderMonkey differ in
 * the last bit. One bit can move the edge between two tokens past the drawn random number: the same seed
 * would give another text. These functions give the same bits everywhere, within about 1 ulp of the true
 * value.
 */

// ln 2 in two parts: the first has 32 zero bits at its end, so its product with any exponent is exact.
const ln2High = 0.6931471803691238;
const ln2Low = 1.9082149292705877e-10;
const inverseLn2 = 1.4426950408889634;

// 1/n! from n = 2: over |r| ≤ ln 2 / 2 the first omitted term is below 2^-63 of the result.
const expTerms: readonly number[] = inverseFactorials(2, 14);
// 2/(2n+1) from n = 1, the series of log((1+s)/(1−s)) / s: over |s| ≤ 0.1716 the rest is below 2^-60.
const logTerms: readonly number[] = Array.from({ length: 11 }, (_, index) => 2 / (2 * index + 3));

const bits = new DataView(new ArrayBuffer(8));

/** e to the power x. */
export function exp(x: number): number {
  if (!(x > -745.2)) return x !== x ? x : 0;
  if (x > 709.782712893384) return Infinity;
  // Rounds to even by adding and subtracting 1.5 · 2^52; |x/ln 2| is below 2^11. Math.round is slower here.
  const k = x * inverseLn2 + 6755399441055744 - 6755399441055744;
  const high = x - k * ln2High;
  const low = k * ln2Low;
  const r = high - low;
  let sum = 0;
  for (let term = expTerms.length - 1; term >= 0; term -= 1) sum = sum * r + (expTerms[term] ?? 0);
  // e^r = 1 + r + r²·sum. The rounding errors of 1 + high and of r join the small terms.
  const base = 1 + high;
  const y = base + (high - (base - 1) + (r * r * sum - low));
  return k >= -1021 ? scaleByPowerOf2(y, k) : scaleByPowerOf2(scaleByPowerOf2(y, k + 1000), -1000);
}

/** The natural logarithm of x. */
export function log(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : NaN;
  if (x === Infinity) return x;
  let k = 0;
  let scaled = x;
  if (x < 2.2250738585072014e-308) {
    scaled = x * 2 ** 54;
    k = -54;
  }
  bits.setFloat64(0, scaled);
  const upper = bits.getUint32(0);
  k += (upper >>> 20) - 1023;
  bits.setUint32(0, (upper & 0xfffff) | (1023 << 20));
  let m = bits.getFloat64(0);
  if (m > Math.SQRT2) {
    m /= 2;
    k += 1;
  }
  const f = m - 1;
  const s = f / (2 + f);
  const z = s * s;
  let sum = 0;
  for (let term = logTerms.length - 1; term >= 0; term -= 1) sum = sum * z + (logTerms[term] ?? 0);
  // log m = 2s + s·z·sum and 2s = f − s·f; f is exact.
  return k * ln2High + (f - (s * (f - z * sum) - k * ln2Low));
}

/** x · 2^power, for a whole power such that the result and 2^(power − 1) are normal. */
function scaleByPowerOf2(x: number, power: number): number {
  // 2^1024 is no double, but twice 2^1023 times a number below 1 may be one.
  if (power > 1023) return x * powerOf2(power - 1) * 2;
  return x * powerOf2(power);
}

function powerOf2(power: number): number {
  bits.setUint32(0, (power + 1023) << 20);
  bits.setUint32(4, 0);
  return bits.getFloat64(0);
}

function inverseFactorials(from: number, to: number): readonly number[] {
  const terms: number[] = [];
  let factorial = 1;
  for (let n = 2; n <= to; n += 1) {
    factorial *= n;
    if (n >= from) terms.push(1 / factorial);
  }
  return terms;
}
