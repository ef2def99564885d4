/**
 * The platform of Node.js, Deno and Bun, through their `node:` modules. Code that also runs in browsers
 * imports it as "#platform", which is web.ts there.
 */
export { collectGarbage, enableRelaxedSimd, hasRevectorizer, withRevectorizer } from "./engine-flags.js";
export { isFolder, openFolder } from "./node-folder.js";
export { openFileSource } from "./node-file-source.js";
export { availableParallelism, freeMemoryBytes } from "./node-host.js";
export { inflate } from "./node-inflate.js";
export { join } from "./node-paths.js";
export { canShareMemory, startThread, workerPort } from "./node-threads.js";
