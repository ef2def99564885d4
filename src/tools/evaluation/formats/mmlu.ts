import { strip } from "../python-text.js";
import { poseChoices, type Question } from "../question.js";
import type { TaskFormat } from "./format.js";

const letters = ["A", "B", "C", "D"] as const;

/** MMLU: exam questions whose choices are in the prompt; the model names the letter. */
export const mmlu: TaskFormat = {
  name: "mmlu",
  title: "MMLU",
  fields: "question, choices (four texts), answer (0 to 3, or A to D) and, if known, subject",
  metrics: ["acc"],
  recognizes: (line) => line.has("question", "choices", "answer"),
  read(line): Question {
    const choices = line.texts("choices", letters.length);
    if (choices.length !== letters.length) {
      line.fail(`there are ${choices.length} choices, expected ${letters.length}`);
    }
    const listed = letters.map((letter, index) => `${letter}. ${choices[index] ?? ""}`);
    const context = [strip(line.text("question")), ...listed, "Answer:"].join("\n");
    const answer = line.oneOf("answer", [0, 1, 2, 3, "0", "1", "2", "3", ...letters]) % letters.length;
    return {
      ...poseChoices(context, letters, answer),
      ...(line.has("subject") && inSubject(line.text("subject"))),
    };
  },
};

function inSubject(subject: string): Pick<Question, "group" | "preamble"> {
  const about = subject.replaceAll("_", " ");
  return {
    group: subject,
    preamble: `The following are multiple choice questions (with answers) about ${about}.\n\n`,
  };
}
