import fc from "fast-check";
import { expect, it } from "vitest";
import { type Line, readLines } from "#dist/batch/lines.js";
import { createLineParser } from "#dist/batch/request.js";
import { bytesSource } from "#dist/platform/memory-source.js";

async function linesOf(bytes: Uint8Array): Promise<readonly Line[]> {
  const lines: Line[] = [];
  for await (const line of readLines(bytesSource(bytes))) lines.push(line);
  return lines;
}

/** A text of lines whose ends lie around the pieces of 1 MiB in which a file is read. */
const longTexts = fc
  .array(fc.tuple(fc.integer({ min: -3, max: 3 }), fc.constantFrom("a", "é", "€", "😀")), {
    minLength: 1,
    maxLength: 3,
  })
  .map((ends) => ends.map(([distance, end]) => `${"x".repeat(2 ** 20 + distance)}${end}\n\n`).join(""));

it("readLines gives the lines of a file, wherever its pieces end", async () => {
  const check = async (text: string, last: string): Promise<void> => {
    const bytes = new TextEncoder().encode(text + last);
    const lines = await linesOf(bytes);
    const expected = (text + last)
      .split("\n")
      .map((line, index) => ({ number: index + 1, text: line }))
      .filter((line) => line.text !== "");
    expect(lines.map(({ number, text: line }) => ({ number, text: line }))).toEqual(expected);
    for (const { isComplete, end } of lines) expect(isComplete).toBe(bytes[end - 1] === 10);
  };
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom("", "a", "é", "x y")), fc.constantFrom("", "z"), (some, last) =>
      check(some.map((line) => `${line}\n`).join(""), last),
    ),
  );
  await fc.assert(fc.asyncProperty(longTexts, fc.constantFrom("", "z"), check), { numRuns: 10 });
});

it("readLines marks a line that is not UTF-8, and reads a last line that ends within a character", async () => {
  const bytes = Uint8Array.from([0xff, 10, 97, 10, 98, 0xe2, 0x82]);
  expect((await linesOf(bytes)).map(({ text, isComplete }) => [text, isComplete])).toEqual([
    [undefined, true],
    ["a", true],
    ["b", false],
  ]);
});

it("ids depend on the model and the request, not on the line or on the order of runs", () => {
  const line = (customId: string, prompt: string): string =>
    JSON.stringify({ custom_id: customId, method: "POST", url: "/v1/completions", body: { prompt } });
  const idOf = (model: string, number: number, text: string): string =>
    createLineParser(model)(number, text).id;
  const id = idOf("m", 1, line("a", "x"));
  expect(idOf("m", 9, line("a", "x"))).toBe(id);
  for (const other of [
    idOf("n", 1, line("a", "x")),
    idOf("m", 1, line("b", "x")),
    idOf("m", 1, line("a", "y")),
  ]) {
    expect(other).not.toBe(id);
  }
  // Two identical invalid lines are two results.
  expect(idOf("m", 1, "{")).not.toBe(idOf("m", 2, "{"));
});
