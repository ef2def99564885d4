import type { Question } from "../question.js";
import { strip } from "../python-text.js";
import type { TaskFormat } from "./format.js";

/** WinoGrande: the word in the blank decides how likely the rest of the sentence is. */
export const winogrande: TaskFormat = {
  name: "winogrande",
  title: "WinoGrande",
  fields: 'sentence (with a blank "_"), option1, option2 and answer ("1" or "2")',
  metrics: ["acc"],
  labelField: "answer",
  recognizes: (line) => line.has("sentence", "option1", "option2"),
  read(line): Question {
    const sentence = line.text("sentence");
    const blank = sentence.indexOf("_");
    if (blank < 0) line.fail('the sentence has no blank "_"');
    const rest = strip(sentence.slice(blank + 1));
    const contexts = [line.text("option1"), line.text("option2")].map(
      (option) => sentence.slice(0, blank) + option,
    );
    const answer = line.oneOf("answer", ["1", "2", 1, 2]) % 2;
    return {
      kind: "choice",
      choices: contexts.map((context) => ({ context, continuation: ` ${rest}`, text: context })),
      answer,
      solved: `${contexts[answer] ?? ""} ${rest}`,
    };
  },
};
