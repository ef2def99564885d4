// This library in a page. `browser.mjs` bundles it, and calls `start` and `measure`.
import { loadModel } from "../../../dist/language-model/load-model.js";
import { timeFirstToken } from "../../../dist/tools/benchmark/first-token.js";
import { measuresOf } from "../our-measures.mjs";

globalThis.start = async (file, { threads, contextLength, choices }) => {
  const begin = performance.now();
  const workerUrl = new URL("/worker.js", location.href);
  const model = await loadModel(file, { threads, contextLength, engine: choices, workerUrl });
  const loadMs = performance.now() - begin;
  if (model.info.threads !== threads) throw new Error(`the model has ${model.info.threads} threads`);
  const firstTokenMs = loadMs + (await timeFirstToken(model));
  const { facts, measure } = measuresOf(model);
  globalThis.measure = measure;
  return { ...facts, loadMs, firstTokenMs };
};
