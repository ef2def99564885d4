/** The platform of Node.js, Deno and Bun, through their `node:` modules. */
export { openFileSource } from "./node-file-source.js";
export { createFileSink } from "./node-file-sink.js";
export { fileIdentity, isFolder, openFolder } from "./node-folder.js";
export { availableParallelism, freeMemoryBytes } from "./node-host.js";
