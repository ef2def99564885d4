import { poseChoices, type Question } from "../question.js";
import type { TaskFormat } from "./format.js";

/** BoolQ, in Google's form (answer) and SuperGLUE's (label). */
export const boolq: TaskFormat = {
  name: "boolq",
  title: "BoolQ",
  fields: "question, passage and answer (true or false) or label (0 or 1)",
  metrics: ["acc"],
  recognizes: (line) => line.has("question", "passage"),
  read(line): Question {
    const context = `${line.text("passage")}\nQuestion: ${line.text("question")}?\nAnswer:`;
    const field = line.has("answer") ? "answer" : "label";
    const answer = line.oneOf(field, [false, true, 0, 1]) % 2;
    return poseChoices(context, ["no", "yes"], answer);
  },
};
