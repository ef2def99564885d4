import { poseChoices, type Question } from "../question.js";
import { lengthMetrics, type TaskFormat } from "./format.js";

/** PIQA: choose the solution that reaches a goal. Answers are in a second file. */
export const piqa: TaskFormat = {
  name: "piqa",
  title: "PIQA",
  fields: "goal, sol1, sol2 and label (0 or 1; it may be in a file of labels instead, a line for each)",
  metrics: lengthMetrics,
  labelField: "label",
  recognizes: (line) => line.has("goal", "sol1", "sol2"),
  read(line): Question {
    const context = `Question: ${line.text("goal")}\nAnswer:`;
    const answer = line.oneOf("label", [0, 1, "0", "1"]) % 2;
    return poseChoices(context, [line.text("sol1"), line.text("sol2")], answer);
  },
};
