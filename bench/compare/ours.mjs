// This library as a side of the comparison, on whatever runtime runs this file.
import process from "node:process";
import { loadModel } from "../../dist/language-model/load-model.js";
import { timeFirstToken } from "../../dist/tools/benchmark/first-token.js";
import { serveMeasurements } from "./messages.mjs";
import { measuresOf } from "./our-measures.mjs";

const { path, threads, contextLength, choices, cacheType } = JSON.parse(process.argv[2]);
const begin = performance.now();
const model = await loadModel(path, { threads, contextLength, cacheType, engine: choices });
const loadMs = performance.now() - begin;
const afterLoadBytes = process.memoryUsage().rss;
const firstTokenMs = loadMs + (await timeFirstToken(model));
const { facts, measure } = measuresOf(model);

const runtime = globalThis.Deno
  ? `Deno ${Deno.version.deno}`
  : globalThis.Bun
    ? `Bun ${Bun.version}`
    : `Node.js ${process.versions.node}`;

await serveMeasurements(
  {
    ...facts,
    loadMs,
    firstTokenMs,
    afterLoadBytes,
    version: cacheType === "f16" ? runtime : `${runtime}, ${cacheType} cache`,
    v8: process.versions.v8,
  },
  measure,
  () => model.dispose(),
);
