import { BitNetError } from "../errors.js";
import type { Environment } from "../platform/node-environment.js";
import { absolutePath, join } from "../platform/node-paths.js";

/** What the environment says about the hub; the variables are those of Hugging Face's own tools. */
export interface HubSettings {
  /** Where the hub or a mirror of it is, without a slash at its end. */
  readonly endpoint: string;
  /** Sent to the endpoint's origin only. */
  readonly token: string | undefined;
  /** Models of the hub, in the layout of `huggingface_hub`. */
  readonly hubFolder: string;
  /** Files of other places, by URL. */
  readonly urlFolder: string;
  /** Nothing may be asked of the network. */
  readonly offline: boolean;
}

export const publicHub = "https://huggingface.co";

/** @throws BitNetError INVALID_ARGUMENT for a variable that makes no sense; the token is never part of a message. */
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
  // Not repeated: what is wrong with it may be a password in it.
  throw new BitNetError(
    "INVALID_ARGUMENT",
    `Invalid HF_ENDPOINT: expected a URL such as ${publicHub}, without user name, password or query`,
  );
}

function parseToken(text: string | undefined): string | undefined {
  // Anything else fails inside fetch, with the header in its message.
  if (text === undefined || /^[\x21-\x7e]+$/.test(text)) return text;
  throw new BitNetError(
    "INVALID_ARGUMENT",
    "Invalid HF_TOKEN: expected an access token such as hf_…, without spaces or line breaks in it",
  );
}
