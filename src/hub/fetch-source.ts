import { fetchModel, type FetchOptions } from "./fetch-model.js";

/** A model by name as a source of `loadModel`: here its path in the cache; in browsers a Blob (web.ts). */
export async function fetchSource(name: string, options: FetchOptions): Promise<string | Blob> {
  return (await fetchModel(name, options)).path;
}
