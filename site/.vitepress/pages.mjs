const group = (text, folder, pages) => ({
  text,
  items: pages.map(([name, title]) => ({ text: title, link: `/${folder}${name}` })),
});

/** The sidebar: groups of pages in reading order. `npm run docs` fails if a page has no place here. */
export const guides = [
  group("Start", "guide/", [
    ["quick-start", "Quick start"],
    ["hardware", "Memory and hardware"],
    ["platforms", "Platforms"],
    ["migrating", "Migrating"],
    ["faq", "Questions"],
    ["errors", "Errors and troubleshooting"],
  ]),
  group("Library", "guide/", [
    ["library", "Calls and options"],
    ["chat", "Conversations"],
    ["json", "JSON by a schema"],
    ["tools", "Tools"],
    ["embeddings", "Embeddings and search"],
    ["ai-sdk", "The AI SDK"],
    ["performance", "Performance"],
  ]),
  group("Runtimes", "guide/", [
    ["browser", "In the browser"],
    ["bundlers", "Bundlers"],
    ["deno", "Deno"],
  ]),
  group("Server", "guide/", [
    ["server", "The server"],
    ["clients", "Clients"],
    ["deploy", "Deploy"],
    ["batch", "Batches"],
  ]),
  group("Models", "guide/", [
    ["models-from-the-hub", "Models from the hub"],
    ["convert", "Conversion"],
    ["evaluation", "Evaluation"],
    ["training", "Train your own model"],
  ]),
];

export const references = group("Inside", "", [
  ["ARCHITECTURE", "Architecture"],
  ["BENCHMARKS", "Benchmarks"],
  ["MODELS", "Models and tests"],
  ["FORMATS", "Tensor types"],
  ["NUMERICS", "Numerics"],
  ["KERNELS", "Kernels"],
  ["DEPENDENCIES", "Dependencies"],
]);
