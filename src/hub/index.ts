export {
  fetchModel,
  type FetchedModel,
  type FetchOptions,
  type FetchProgress,
  type HubFetchOptions,
} from "./fetch-model.js";
export { fetchSource } from "./fetch-source.js";
export { listCached, type ListedModel } from "./list-cached.js";
export { executeRemoval, planRemoval, type Removal } from "./remove-cached.js";
