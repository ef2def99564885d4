import { capitalize, strip } from "../python-text.js";
import { poseChoices, type Question } from "../question.js";
import { lengthMetrics, type TaskFormat } from "./format.js";

/** HellaSwag: choose the ending of a scene. */
export const hellaswag: TaskFormat = {
  name: "hellaswag",
  title: "HellaSwag",
  fields: "activity_label, ctx_a, ctx_b, endings and label (the index of the right ending)",
  metrics: lengthMetrics,
  recognizes: (line) => line.has("ctx_a", "endings"),
  read(line): Question {
    const scene = `${line.text("ctx_a")} ${capitalize(line.text("ctx_b"))}`;
    const endings = line.texts("endings", 2);
    const indices = [...endings.keys()];
    const answer = line.oneOf("label", [...indices.map(String), ...indices]) % endings.length;
    return poseChoices(cleanText(`${line.text("activity_label")}: ${scene}`), endings.map(cleanText), answer);
  },
};

/** Half of the scenes come from WikiHow and keep its headings and markers in brackets. */
function cleanText(text: string): string {
  const lines = strip(text).replaceAll(" [title]", ". ").split("\n");
  return lines.map(withoutBrackets).join("\n").replaceAll("  ", " ");
}

/** A loop: a regular expression would take quadratic time over brackets that are never closed. */
function withoutBrackets(line: string): string {
  let kept = "";
  let from = 0;
  for (;;) {
    const open = line.indexOf("[", from);
    const close = open < 0 ? -1 : line.indexOf("]", open);
    if (close < 0) return kept + line.slice(from);
    kept += line.slice(from, open);
    from = close + 1;
  }
}
