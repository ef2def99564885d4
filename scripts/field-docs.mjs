// Writes the tables of request fields in docs/guide/server.md from the routes' own rules, between the markers
// "fields: begin" and "fields: end". It reads the build. With --check, it only compares.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { format, resolveConfig } from "prettier";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const server = (file) => import(join(root, "dist", "server", `${file}.js`));
const { chatFields } = await server("openai/chat");
const { completionFields } = await server("openai/completions");
const { embeddingFields } = await server("openai/embeddings");
const { responseFields } = await server("openai/responses/route");
const { messageFields, countFields } = await server("anthropic/messages");
const ollamaChat = await server("ollama/chat");
const { generateFields } = await server("ollama/generate");
const { embedFields, legacyEmbedFields } = await server("ollama/embed");
const { pullFields } = await server("ollama/pull");
const { applyTemplateFields } = await server("model-routes");
const { tokenizeFields, detokenizeFields } = await server("token-routes");

const routes = {
  "/v1/chat/completions": chatFields,
  "/v1/completions": completionFields,
  "/v1/embeddings": embeddingFields,
  "/v1/responses": responseFields,
  "/v1/messages": messageFields,
  "/v1/messages/count_tokens": countFields,
  "/api/chat": ollamaChat.chatFields,
  "/api/generate": generateFields,
  "/api/embed": embedFields,
  "/api/embeddings": legacyEmbedFields,
  "/api/pull": pullFields,
  "/apply-template": applyTemplateFields,
  "/tokenize": tokenizeFields,
  "/detokenize": detokenizeFields,
};

const names = (fields) => [...new Set(fields)].toSorted().map((name) => `\`${name}\``);

function table(path, { used, harmless, refused, objects = {} }) {
  const inner = Object.entries(objects).flatMap(([object, fields]) =>
    fields.map((name) => `${object}.${name}`),
  );
  const groups = new Map();
  for (const [name, { advice }] of Object.entries(refused))
    groups.set(advice, [...(groups.get(advice) ?? []), name]);
  const rows = [
    ["used", names([...used, ...inner]).join(", ")],
    ["harmless", names(harmless.filter((name) => !used.includes(name))).join(", ")],
    ...[...groups].map(([advice, fields]) => [`refused: ${advice}`, names(fields).join(", ")]),
  ];
  return [
    `\`${path}\`:`,
    "",
    "| rule | fields |",
    "| --- | --- |",
    ...rows.map((row) => `| ${row.join(" | ")} |`),
  ].join("\n");
}

const path = join(root, "docs", "guide", "server.md");
const before = readFileSync(path, "utf8");
const section = /(<!-- fields: begin -->\n)[^]*?(<!-- fields: end -->)/;
const tables = Object.entries(routes).map(([route, fields]) => table(route, fields));
const written = before.replace(section, (_, begin, end) => `${begin}\n${tables.join("\n\n")}\n\n${end}`);
const after = await format(written, { ...(await resolveConfig(path)), filepath: path });
const check = process.argv.includes("--check");
if (after !== before && !check) writeFileSync(path, after);
console.log(
  `field-docs: ${Object.keys(routes).length} routes, ${after === before ? "as documented" : check ? "stale: run node scripts/field-docs.mjs" : "written"}`,
);
process.exit(check && after !== before ? 1 : 0);
