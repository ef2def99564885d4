import { appendFileSync } from "node:fs";

/** A trained model in the cache. */
export interface RealModel {
  readonly id: string;
  readonly name: string;
  readonly path: string;
}

/** The fetched files, from scripts/test-real.mjs. */
export interface RealSettings {
  readonly models: readonly RealModel[];
  /** The module of node-llama-cpp. Undefined if it could not be installed. */
  readonly llamaCppUrl?: string;
  /** The file for rows of the table that the script prints. */
  readonly figures: string;
}

/** A row of the table. */
export interface Figure {
  /** The model's id. */
  readonly model: string;
  readonly what: string;
  readonly ours: string;
  readonly theirs?: string;
  readonly note?: string;
}

/** @throws Error outside of `npm run test:real`. */
export function realSettings(): RealSettings {
  const text = process.env.BITNET_REAL;
  if (text === undefined) throw new Error("These tests need a fetched model: run `npm run test:real`");
  return JSON.parse(text) as RealSettings;
}

/** The path of a model, or undefined if this run does not have it. */
export function realModelPath(id: string): string | undefined {
  return realSettings().models.find((model) => model.id === id)?.path;
}

export function recordRow(figure: Figure): void {
  appendFileSync(realSettings().figures, `${JSON.stringify(figure)}\n`);
}
