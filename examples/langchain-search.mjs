// Search by meaning with LangChain: the model in this process makes the vectors, and LangChain keeps them.
//
//   npm install bitnet-wasm @langchain/core @langchain/classic
//   node examples/langchain-search.mjs [model]     an embedding model finds best; see docs/MODELS.md
import { MemoryVectorStore } from "@langchain/classic/vectorstores/memory";
import { Embeddings } from "@langchain/core/embeddings";
import { loadModel } from "bitnet-wasm";

/** LangChain's embeddings by a model of bitnet-wasm. */
class BitNetEmbeddings extends Embeddings {
  constructor(model) {
    super({});
    this.model = model;
  }

  async embedDocuments(texts) {
    return (await this.model.embed(texts)).map((vector) => Array.from(vector));
  }

  async embedQuery(text) {
    const [vector] = await this.model.embed([text], { kind: "query" });
    return Array.from(vector);
  }
}

const texts = [
  "The fox was thirsty and drank from the brook.",
  "The king built a castle of white stone.",
  "A ship sailed across the stormy sea.",
];

const model = await loadModel(process.argv[2]);
const store = await MemoryVectorStore.fromTexts(
  texts,
  texts.map((_, index) => ({ index })),
  new BitNetEmbeddings(model),
);
const question = "Who built a castle?";
console.log(question);
for (const [{ pageContent }, score] of await store.similaritySearchWithScore(question, 3))
  console.log(`${score.toFixed(3)}  ${pageContent}`);

// The best text becomes part of a prompt.
const [found] = await store.asRetriever({ k: 1 }).invoke(question);
const chat = model.chat({ system: `Answer from this text: ${found.pageContent}` });
for await (const { text } of chat.send(question, { maxTokens: 32, temperature: 0 }))
  process.stdout.write(text);
console.log();
chat.dispose();
await model.dispose();
