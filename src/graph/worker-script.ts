// The script of a worker thread.
import { workerPort } from "#platform";
import { serveTeam } from "./worker.js";

const port = workerPort();
if (port !== undefined) serveTeam(port);
