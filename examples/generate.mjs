// The README's example. Run it with: node examples/generate.mjs, deno run -A, or bun.
import { loadModel } from "bitnet-wasm";

const model = await loadModel(); // no argument: the embedded storyteller

for await (const piece of model.generate("Once upon a time", { maxTokens: 64, temperature: 0 })) {
  process.stdout.write(piece.text);
}
process.stdout.write("\n");

await model.dispose();
