// Runs on Deno without one of the permissions (scripts/runtimes.mjs). Prints how a load ends.
import { loadModel } from "bitnet-wasm";

try {
  const model = await loadModel(process.argv[2], { threads: 2 });
  await model.dispose();
  console.log(JSON.stringify({}));
} catch ({ code, message }) {
  console.log(JSON.stringify({ code, message }));
}
