import { type Question, poseChoices } from "../question.js";
import type { TaskLine } from "../task-lines.js";
import { lengthMetrics, type TaskFormat } from "./format.js";

/** AI2 Reasoning Challenge, easy or challenge, in AI2's form and Hugging Face's. */
export const arc: TaskFormat = {
  name: "arc",
  title: "ARC",
  fields:
    "question, choices { text, label } and answerKey, or question { stem, choices [{ text, label }] } and answerKey",
  metrics: lengthMetrics,
  recognizes: (line) => line.has("question", "answerKey"),
  read(line): Question {
    const { stem, texts, labels } =
      typeof line.value("question") === "string" ? readFlat(line) : readNested(line.object("question"));
    if (texts.length !== labels.length) {
      line.fail(`there are ${texts.length} choices and ${labels.length} labels`);
    }
    return poseChoices(`Question: ${stem}\nAnswer:`, texts, line.oneOf("answerKey", labels));
  },
};

interface Parts {
  readonly stem: string;
  readonly texts: readonly string[];
  readonly labels: readonly string[];
}

function readFlat(line: TaskLine): Parts {
  const choices = line.object("choices");
  return { stem: line.text("question"), texts: choices.texts("text", 2), labels: choices.texts("label", 2) };
}

function readNested(question: TaskLine): Parts {
  const choices = question.objects("choices");
  if (choices.length < 2) question.fail(`there are ${choices.length} choices, expected at least 2`);
  return {
    stem: question.text("stem"),
    texts: choices.map((choice) => choice.text("text")),
    labels: choices.map((choice) => choice.text("label")),
  };
}
