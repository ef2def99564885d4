import { isGiven } from "../requests/body.js";

/** Fields of `/api/chat` and `/api/generate` that this server refuses. */
export const refusedFields: Readonly<Record<string, (value: unknown) => boolean>> = {
  images: isGiven,
  suffix: isGiven,
  context: isGiven,
  template: isGiven,
};
