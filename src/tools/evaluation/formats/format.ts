import type { MetricName } from "../metrics.js";
import type { Question } from "../question.js";
import type { TaskLine } from "../task-lines.js";

/** A benchmark as published: how its lines read and what is asked. One file each, and a line in the table. */
export interface TaskFormat {
  readonly name: string;
  /** For people: "ARC". */
  readonly title: string;
  /** What a line has, for messages. */
  readonly fields: string;
  readonly metrics: readonly MetricName[];
  /** The field with the right answer, where some publications keep answers in a file of their own. */
  readonly labelField?: string;
  /** Whether a line seems to be of this benchmark: it has the fields that no other has. */
  recognizes(line: TaskLine): boolean;
  /** @throws BitNetError FILE_CORRUPT if the line is not of this form. */
  read(line: TaskLine): Question;
}

/** Choices of different lengths are compared in all three ways. */
export const lengthMetrics: readonly MetricName[] = ["acc", "acc_norm", "acc_bytes"];
