import type { Protocol } from "../protocol.js";
import { addChat } from "./chat.js";
import { addCompletions } from "./completions.js";
import { addEmbeddings } from "./embeddings.js";
import { failureBody } from "./failure-body.js";
import { addModels } from "./models.js";

/** OpenAI's protocol. */
export const openAi: Protocol = {
  prefixes: ["/v1/"],
  routes: [addModels, addChat, addCompletions, addEmbeddings],
  failureBody,
};
