import type { MetricName } from "../metrics.js";
import type { Question } from "../question.js";
import type { TaskLine } from "../task-lines.js";

/** A published benchmark: how its lines are read and asked. One file each, and a line in the table. */
export interface TaskFormat {
  readonly name: string;
  /** Display name: "ARC". */
  readonly title: string;
  /** The fields of a line, for messages. */
  readonly fields: string;
  readonly metrics: readonly MetricName[];
  /** The field of the right answer, for benchmarks that may have answers in a separate file. */
  readonly labelField?: string;
  /** Whether a line seems to be of this benchmark: it has fields that no other has. */
  recognizes(line: TaskLine): boolean;
  /** @throws BitNetError FILE_CORRUPT if the line is not of this form. */
  read(line: TaskLine): Question;
}

/** Choices of different lengths are compared in all three ways. */
export const lengthMetrics: readonly MetricName[] = ["acc", "acc_norm", "acc_bytes"];
