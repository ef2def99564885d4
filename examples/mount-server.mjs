// Mounts the model under a path of an application, beside its other routes.
//
//   node examples/mount-server.mjs     then request http://127.0.0.1:3000/llm/v1/models
//   node examples/mount-server.mjs 0   the same on a free port
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { createServer, loadModel } from "bitnet-wasm";

const model = await loadModel();
const llm = createServer(model, { parallel: 4 });

const app = new Hono();
app.get("/", (context) => context.text("An application with a model"));
// Takes "/llm" off the path: the server knows its own routes only.
app.mount("/llm", llm.fetch);

const http = serve(
  { fetch: app.fetch, hostname: "127.0.0.1", port: Number(process.argv[2] ?? 3000) },
  ({ port }) => console.log(`http://127.0.0.1:${port}/llm/v1`),
);
process.once("SIGINT", async () => {
  http.close();
  await llm.dispose();
  await model.dispose();
});
