/** The platform of browsers: the same names as in node.ts. "imports" of package.json chooses between them. */
export { isFolder, join, openFileSource, openFolder } from "./web-files.js";
export {
  availableParallelism,
  collectGarbage,
  enableRelaxedSimd,
  freeMemoryBytes,
  hasRevectorizer,
  withRevectorizer,
} from "./web-host.js";
export { inflate } from "./web-inflate.js";
export { canShareMemory, startThread, workerPort } from "./web-threads.js";
