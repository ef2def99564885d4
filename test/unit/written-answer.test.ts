import { describe, expect, it } from "vitest";
import { writtenMetrics } from "#dist/tools/evaluation/metrics.js";
import { flexibleAnswer, strictAnswer } from "#dist/tools/evaluation/written-answer.js";

const answer = "12 x 100 = <<12*100=1200>>1200 steps.\n#### 1,200";

describe("GSM8K's written answers", () => {
  it.each([
    ["1200 it is.\n#### 1200", "1200"],
    ["#### 1,200\nQuestion: #### 7", "1,200"],
    ["#### -3.5.", "-3.5."],
    ["####1200", "[invalid]"],
    ["#### $1200", "[invalid]"],
    ["the answer is 1200", "[invalid]"],
    ["", "[invalid]"],
  ])("strict-match finds in %j %j", (written, found) => {
    expect(strictAnswer(written)).toBe(found);
  });

  it.each([
    ["first 7, then $1,200.", "$1,200."],
    ["it is 8", "8"],
    ["-8 apples", "-8"],
    ["well... ok", "..."],
    ["a-5b", "-5"],
    ["no number", "[invalid]"],
  ])("flexible-extract finds in %j %j", (written, found) => {
    expect(flexibleAnswer(written)).toBe(found);
  });

  it.each([
    ["so #### 1200", true, true],
    ["so #### 1,200.", true, true],
    ["so it is $1,200.", false, true],
    ["#### 1200 and then 7 more", true, false],
    ["#### 120", false, false],
    ["nothing", false, false],
  ])("%j is right: strictly %s, flexibly %s", (written, strict, flexible) => {
    expect(writtenMetrics.strict_match(written, answer)).toBe(strict);
    expect(writtenMetrics.flexible_extract(written, answer)).toBe(flexible);
  });

  it("of a right answer no number found is never taken for one", () => {
    expect(writtenMetrics.strict_match("x", "#### [invalid")).toBe(false);
  });
});
