import type { Protocol } from "../protocol.js";
import { addChat } from "./chat.js";
import { addCompletions } from "./completions.js";
import { addEmbeddings } from "./embeddings.js";
import { failureBody } from "./failure-body.js";
import { addModels } from "./models.js";
import { addResponses } from "./responses/route.js";

/** OpenAI's protocol. */
export const openAi: Protocol = {
  // Clients often get the server's address without "/v1".
  prefixes: ["/v1/", "/chat/completions", "/completions", "/embeddings", "/models", "/responses"],
  routes: [addModels, addChat, addCompletions, addEmbeddings, addResponses],
  failureBody,
};
