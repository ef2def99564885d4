// The rows and the columns of the matrix.
export const columns = ["chat", "stream", "tools", "json", "embeddings"];

/** `packages`: their versions are in the table. `lacks`: features that the client does not have. */
export const rows = [
  { name: "openai", file: "openai.mjs", packages: ["openai"] },
  { name: "@ai-sdk/openai (Responses)", file: "ai-sdk.mjs", mode: "openai", packages: ["@ai-sdk/openai"] },
  {
    name: "@ai-sdk/anthropic",
    file: "ai-sdk.mjs",
    mode: "anthropic",
    packages: ["@ai-sdk/anthropic"],
    lacks: ["embeddings"],
  },
  { name: "@openai/agents", file: "openai-agents.mjs", packages: ["@openai/agents"] },
  { name: "@anthropic-ai/sdk", file: "anthropic.mjs", packages: ["@anthropic-ai/sdk"] },
  { name: "ollama", file: "ollama.mjs", packages: ["ollama"] },
  {
    name: "ollama-ai-provider-v2",
    file: "ai-sdk.mjs",
    mode: "ollama",
    packages: ["ollama-ai-provider-v2", "ai"],
  },
  { name: "bitnet-wasm/ai-sdk", file: "ai-sdk.mjs", mode: "bitnet", packages: ["ai"] },
  { name: "@langchain/openai", file: "langchain.mjs", mode: "openai", packages: ["@langchain/openai"] },
  { name: "@langchain/ollama", file: "langchain.mjs", mode: "ollama", packages: ["@langchain/ollama"] },
  { name: "llamaindex, Ollama", file: "llamaindex.mjs", packages: ["llamaindex", "@llamaindex/ollama"] },
  {
    name: "genkit, OpenAI",
    file: "genkit.mjs",
    mode: "openai",
    packages: ["genkit", "@genkit-ai/compat-oai"],
  },
  {
    name: "genkit, Ollama",
    file: "genkit.mjs",
    mode: "ollama",
    packages: ["genkit", "genkitx-ollama"],
    // It parses each piece of the network as one line of JSON, so two lines in one piece fail.
    lacks: ["stream"],
  },
  ...["TOOLS", "FUNCTIONS", "JSON", "MD_JSON", "JSON_SCHEMA"].map((mode) => ({
    name: `instructor, ${mode}`,
    file: "instructor.mjs",
    mode,
    packages: ["@instructor-ai/instructor"],
  })),
  { name: "promptfoo", file: "promptfoo.mjs", packages: ["promptfoo"] },
  { name: "Continue's CLI", file: "continue.mjs", packages: ["@continuedev/cli"] },
];
