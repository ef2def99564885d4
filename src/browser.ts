// The library for browsers: the names of index.ts that need no files, server or process.
export { BitNetError } from "./errors.js";
export { loadModel } from "./language-model/load-model.js";
export { createWorkerModel } from "./worker-model/create-worker-model.js";
export { inspectModel } from "./tools/inspect.js";
export { perplexity } from "./tools/evaluation/perplexity.js";
export { evaluateTask } from "./tools/evaluation/evaluate-task.js";
export { readTask } from "./tools/evaluation/read-task.js";
