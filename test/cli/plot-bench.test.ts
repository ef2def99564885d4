import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fixturePath, runScript } from "../support/run-script.js";

const fixture = fixturePath("bench-results.json");
const themes = ["light", "dark"] as const;

let folder: string;
const pictures = new Map<string, string>();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "bitnet-plot-"));
  const { stderr, status } = await runScript("scripts/plot-bench.mjs", [fixture, "--out", join(folder, "p")]);
  expect([stderr, status]).toEqual(["", 0]);
  for (const theme of themes) pictures.set(theme, await readFile(join(folder, `p-${theme}.svg`), "utf8"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  text: string;
}

/**
 * A strict reader of the small part of XML that we write. It requires closed tags in order, quoted attributes
 * and escaped text.
 */
function readXml(xml: string): readonly Element[] {
  const elements: Element[] = [];
  const open: Element[] = [];
  let rest = xml;
  while (rest !== "") {
    const tag = /^<(\/?)([a-z]+)((?: [a-zA-Z0-9-]+="[^"<]*")*)(\/?)>/.exec(rest);
    if (tag !== null) {
      const [whole, closes, name = "", attributes = "", empty] = tag;
      if (closes === "/") expect(open.pop()?.name).toBe(name);
      else {
        const pairs = [...attributes.matchAll(/([a-zA-Z0-9-]+)="([^"]*)"/g)];
        const element = {
          name,
          attributes: Object.fromEntries(pairs.map(([, key, value]) => [key, value])),
          text: "",
        };
        elements.push(element);
        if (empty !== "/") open.push(element);
      }
      rest = rest.slice(whole.length);
    } else {
      const text = /^(?:[^<&]|&(?:amp|lt|gt|quot);)+/.exec(rest)?.[0];
      if (text === undefined) throw new Error(`no XML: ${rest.slice(0, 80)}`);
      const inside = open.at(-1);
      if (inside !== undefined) inside.text += text;
      rest = rest.slice(text.length);
    }
  }
  expect(open).toEqual([]);
  return elements;
}

/** The contrast of two colours by the definition of WCAG 2. */
function contrast(a: string, b: string): number {
  const luminance = (color: string): number => {
    const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
      const part = Number.parseInt(color.slice(at, at + 2), 16) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [dark = 0, light = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}

describe.each(themes)("bench:plot, %s", (theme) => {
  const elements = (): readonly Element[] => readXml(pictures.get(theme) ?? "");
  const ofClass = (name: string): number[] =>
    elements()
      .filter(({ attributes }) => attributes.class === name)
      .map(({ attributes }) => Number(attributes.width));

  it("is well-formed, and describes its content in words", () => {
    const [svg, title, description] = elements();
    expect(svg?.name).toBe("svg");
    expect(svg?.attributes["aria-labelledby"]).toBe("title description");
    expect(title?.text).toBe("A ternary model of the 2B4T shape on 2 threads");
    expect(description?.text).toContain("Example &lt;CPU&gt; &amp; Co, 2 cores");
    expect(description?.text).toMatch(/Writing \(tg128\).*Node\.js 24\.1 \(bitnet-wasm[^)]*\) 32\.0/);
  });

  it("says that the machine was disturbed", () => {
    expect(elements().some(({ text }) => text.startsWith("Measured while other programs ran"))).toBe(true);
  });

  it("draws bars as long as their medians, and limits as far as the memory allows", () => {
    const [writing, reading] = [ofClass("bar").slice(0, 3), ofClass("bar").slice(3)];
    const ratios = ([first = 0, ...others]: readonly number[]): number[] =>
      others.map((length) => length / first);
    expect(ratios(writing)[0]).toBeCloseTo(32 / 18, 3);
    expect(ratios(writing)[1]).toBeCloseTo(17 / 18, 3);
    expect(ratios(reading)[0]).toBeCloseTo(84 / 33, 3);
    expect(ratios(reading)[1]).toBeCloseTo(60 / 33, 3);
    // 32 GB/s: 40 tokens of 0.8 GB, 26.7 of 1.2 GB.
    const medians = [18, 32, 17];
    const limits = ofClass("limit");
    expect(limits.map((length, row) => (length / (writing[row] ?? 0)) * (medians[row] ?? 0))).toEqual([
      expect.closeTo(40, 1),
      expect.closeTo(40, 1),
      expect.closeTo(80 / 3, 1),
    ]);
  });

  it("keeps everything inside the picture", () => {
    const [svg] = elements();
    const [width, height] = [Number(svg?.attributes.width), Number(svg?.attributes.height)];
    for (const { name, attributes, text } of elements()) {
      const x = Number(attributes.x ?? attributes.x2 ?? 0);
      // A letter is about half as wide as it is high. The factor has a margin.
      const long = name === "text" ? text.length * Number(attributes["font-size"]) * 0.6 : 0;
      const anchor = { end: 1, middle: 0.5 }[attributes["text-anchor"] ?? ""] ?? 0;
      expect(x - long * anchor).toBeGreaterThanOrEqual(0);
      expect(x + long * (1 - anchor) + Number(attributes.width ?? 0)).toBeLessThanOrEqual(
        width + (name === "svg" ? width : 0),
      );
      expect(Number(attributes.y ?? attributes.y2 ?? 0)).toBeLessThanOrEqual(height);
    }
  });

  it("can be read: text has a contrast of 4.5, bars of 3, whiskers of 3 on paper", () => {
    const paper = elements().find(({ name }) => name === "rect")?.attributes.fill ?? "";
    expect(contrast("#000000", "#ffffff")).toBeCloseTo(21);
    for (const { name, attributes } of elements()) {
      if (name === "text") expect(contrast(attributes.fill ?? "", paper)).toBeGreaterThan(4.5);
      if (attributes.class === "bar") expect(contrast(attributes.fill ?? "", paper)).toBeGreaterThan(3);
      if (name === "text") expect(Number(attributes["font-size"])).toBeGreaterThanOrEqual(12);
    }
    const fills = new Set(
      elements()
        .filter((e) => e.attributes.class === "bar")
        .map((e) => e.attributes.fill),
    );
    expect(fills.size).toBe(2);
  });
});

describe("bench:plot", () => {
  it.each([
    ["a file that is not there", ["no-such.json"], "ENOENT"],
    ["two files", [fixture, fixture], "one file of results is drawn, not 2"],
    ["an unknown option", ["--color"], "--color"],
  ])("says what is wrong with %s", async (_, args, message) => {
    const { stdout, stderr, status } = await runScript("scripts/plot-bench.mjs", args);
    expect([stdout, status]).toEqual(["", 2]);
    expect(stderr).toMatch(/^bench:plot: [^\n]+\n$/);
    expect(stderr).toContain(message);
  });

  it.each([
    ["{}", "not results of bench:compare"],
    ["[", "JSON"],
  ])("does not draw %s", async (text, message) => {
    const file = join(folder, "bad.json");
    await writeFile(file, text);
    const out = join(folder, "bad");
    const { stderr, status } = await runScript("scripts/plot-bench.mjs", [file, "--out", out]);
    expect(status).toBe(2);
    expect(stderr).toContain(message);
    expect((await readdir(folder)).filter((name) => name.startsWith("bad-"))).toEqual([]);
  });

  it("draws results without a rival and without readings of memory", async () => {
    interface Fixture {
      othersShare: number[];
      sides: { id: string }[];
      tests: { kind: string }[];
    }
    const record = JSON.parse(await readFile(fixture, "utf8")) as Fixture;
    record.othersShare = [0.1, 0.02];
    record.sides = record.sides.filter(({ id }) => id !== "llama");
    record.tests = record.tests.filter(({ kind }) => kind === "tg");
    const file = join(folder, "few.json");
    await writeFile(file, JSON.stringify(record));
    const { status } = await runScript("scripts/plot-bench.mjs", [file, "--out", join(folder, "few")]);
    expect(status).toBe(0);
    const elements = readXml(await readFile(join(folder, "few-light.svg"), "utf8"));
    expect(elements.filter(({ attributes }) => attributes.class === "bar").length).toBe(2);
    expect(elements.filter(({ attributes }) => attributes.class === "limit").length).toBe(0);
    expect(elements.some(({ text }) => /node-llama-cpp|other programs/.test(text))).toBe(false);
  });
});
