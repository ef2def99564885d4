/** What Node, Deno and Bun give, all through their `node:` modules. */
export { openFileSource } from "./node-file-source.js";
export { createFileSink } from "./node-file-sink.js";
export { isFolder, openFolder } from "./node-folder.js";
export { availableParallelism, freeMemoryBytes } from "./node-host.js";
