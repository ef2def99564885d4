import type { Protocol } from "../protocol.js";
import { addChat } from "./chat.js";
import { addEmbed } from "./embed.js";
import { failureBody } from "./failure-body.js";
import { addGenerate } from "./generate.js";
import { addModels } from "./models.js";
import { addPull } from "./pull.js";

/** Ollama's protocol, without its management of several models. */
export const ollama: Protocol = {
  prefixes: ["/api/"],
  routes: [addModels, addChat, addGenerate, addEmbed, addPull],
  failureBody,
};
