import type { JobsOptions } from "bullmq";
import { type BatchRequest, isObject } from "../request.js";
import type { BatchAnswer } from "../result.js";

/** A request as the data of a BullMQ job. Its keys are those of a line of the input. */
export interface JobData {
  readonly custom_id: string;
  readonly method: "POST";
  readonly url: string;
  readonly body: BatchRequest["body"];
  /** Digest of the model. */
  readonly model: string;
}

/** A job for `queue.addBulk`. */
export interface NewJob {
  readonly name: string;
  readonly data: JobData;
  readonly opts: JobsOptions;
}

const week = 7 * 24 * 3600;

/**
 * The fate of jobs. A worker that fails gives its job back, five times. Results that no batch collects are
 * deleted after a week.
 */
const jobOptions: JobsOptions = {
  attempts: 5,
  backoff: { type: "exponential", delay: 500 },
  removeOnComplete: { age: week },
  removeOnFail: { age: week },
};

/** One queue per model, so that a worker never sees requests to another model. */
export function queueName(prefix: string, model: string): string {
  return `${prefix}-${model.slice(0, 16)}`;
}

/** The job's id is the request's: BullMQ does not add an id twice. */
export function newJob({ id, customId, url, body }: BatchRequest, model: string): NewJob {
  const data: JobData = { custom_id: customId, method: "POST", url, body, model };
  return { name: url, data, opts: { ...jobOptions, jobId: id } };
}

/** The request of a job. Undefined if it is no job of a batch, or for another model. */
export function requestOf(id: string, data: unknown, model: string): BatchRequest | undefined {
  if (!isObject(data) || data.model !== model) return undefined;
  const { custom_id: customId, url, body } = data;
  if (typeof customId !== "string" || typeof url !== "string" || !isObject(body)) return undefined;
  // Only the batch knows the line.
  return { line: 0, id, customId, url, body };
}

/** The answer in a job's `returnvalue`. Undefined if it is something else. */
export function answerOf(value: unknown): BatchAnswer | undefined {
  if (!isObject(value)) return undefined;
  const { response, error } = value;
  const isAnswer = isObject(response)
    ? error === null && typeof response.status_code === "number" && isObject(response.body)
    : response === null && isObject(error) && typeof error.message === "string";
  return isAnswer ? (value as unknown as BatchAnswer) : undefined;
}
