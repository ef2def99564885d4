// A page's program: loads a model of the hub by name, if asked twice at the same time.
import { createWorkerModel } from "bitnet-wasm";

globalThis.load = async () => {
  const model = await createWorkerModel("hf:someone/small/model.gguf");
  const text = await model.complete("Once upon a time", { maxTokens: 24, temperature: 0 });
  await model.dispose();
  return text;
};
