import type { Question } from "../question.js";
import type { TaskFormat } from "./format.js";

/** GSM8K: arithmetic problems in words. The model writes a solution that ends with a number. */
export const gsm8k: TaskFormat = {
  name: "gsm8k",
  title: "GSM8K",
  fields: 'question and answer (which ends with "#### " and the number)',
  metrics: ["strict_match", "flexible_extract"],
  recognizes: (line) => line.has("question", "answer") && String(line.value("answer")).includes("#### "),
  read(line): Question {
    const answer = line.text("answer");
    if (!/#### \S/.test(answer)) line.fail('the answer has no "#### " with a number after it');
    const prompt = `Question: ${line.text("question")}\nAnswer:`;
    return {
      kind: "written",
      prompt,
      answer,
      // Beginnings of the next example, and marks of common chat formats.
      stop: ["Question:", "</s>", "<|im_end|>"],
      solved: `${prompt} ${answer}`,
    };
  },
};
