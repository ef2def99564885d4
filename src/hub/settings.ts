import { BitNetError } from "../errors.js";
import type { Environment } from "../platform/node-environment.js";
import { absolutePath, join } from "../platform/node-paths.js";
import { publicHub } from "./model-name.js";

/** Settings of the hub in the environment. The variables are those of Hugging Face's own tools. */
export interface HubSettings {
  /** URL of the hub or a mirror, without a trailing slash. */
  readonly endpoint: string;
  /** Sent only to the endpoint's origin. */
  readonly token: string | undefined;
  /** Models of the hub, in the layout of `huggingface_hub`. */
  readonly hubFolder: string;
  /** Files from URLs. */
  readonly urlFolder: string;
  /** No network requests are allowed. */
  readonly offline: boolean;
}

/** @throws BitNetError INVALID_ARGUMENT for an invalid variable. The token is never part of a message. */
export function readSettings(environment: Environment): HubSettings {
  const value = (name: string): string | undefined => {
    const text = environment[name]?.trim();
    return text === "" ? undefined : text;
  };
  const home = absolutePath(
    value("HF_HOME") ?? join(value("XDG_CACHE_HOME") ?? join("~", ".cache"), "huggingface"),
  );
  return {
    endpoint: parseEndpoint(value("HF_ENDPOINT") ?? publicHub),
    token: parseToken(value("HF_TOKEN")),
    hubFolder: absolutePath(value("HF_HUB_CACHE") ?? value("HUGGINGFACE_HUB_CACHE") ?? join(home, "hub")),
    urlFolder: join(home, "bitnet-wasm"),
    offline: ["1", "true", "yes", "on"].includes((value("HF_HUB_OFFLINE") ?? "").toLowerCase()),
  };
}

function parseEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const valid =
    url !== undefined &&
    /^https?:$/.test(url.protocol) &&
    url.username === "" &&
    url.password === "" &&
    url.search === "" &&
    url.hash === "";
  if (valid) return url.href.replace(/\/+$/, "");
  // Not repeated: the wrong part may be a password.
  throw new BitNetError(
    "INVALID_ARGUMENT",
    `Invalid HF_ENDPOINT: expected a URL such as ${publicHub}, without user name, password or query`,
  );
}

function parseToken(text: string | undefined): string | undefined {
  // Other characters fail inside fetch, and its message would show the header.
  if (text === undefined || /^[\x21-\x7e]+$/.test(text)) return text;
  throw new BitNetError(
    "INVALID_ARGUMENT",
    "Invalid HF_TOKEN: expected an access token such as hf_…, without spaces or line breaks in it",
  );
}
