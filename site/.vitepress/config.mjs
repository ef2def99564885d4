import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { repositoryLinks } from "./repository-links.mjs";
import { guides, references } from "./pages.mjs";
import { slugify } from "./slugify.mjs";

const site = fileURLToPath(new URL("..", import.meta.url));
const apiSidebar = `${site}api/typedoc-sidebar.json`;

/** Pages of docs/ import Vue, and find it in this folder's node_modules only with help. */
const vueOfThisSite = {
  name: "vue-of-this-site",
  enforce: "pre",
  resolveId(name, importer, options) {
    if (!/^vue($|\/)/.test(name) || importer?.startsWith(site)) return undefined;
    return this.resolve(name, `${site}index.md`, { ...options, skipSelf: true });
  },
};

export default {
  title: "bitnet-wasm",
  description: "Run 1-bit and ternary language models on any CPU, from JavaScript.",
  lang: "en",
  // The pages are those of docs/, without copies. The first page and the API reference are of this folder.
  srcDir: "..",
  srcExclude: ["*.md", "!(docs|site)/**", "docs/bitnet-wasm.api.md", "site/node_modules/**", "site/dist/**"],
  rewrites: { "docs/:path*": ":path*", "site/:path*": ":path*" },
  outDir: "dist",
  cacheDir: ".vitepress/cache",
  cleanUrls: true,
  // Where the site is served, such as "/bitnet-wasm/".
  base: process.env.SITE_BASE ?? "/",
  markdown: {
    anchor: { slugify },
    toc: { slugify },
    config: (md) => repositoryLinks(md, process.env.REPOSITORY_URL),
  },
  vite: { plugins: [vueOfThisSite], ssr: { external: ["vue", "vue/server-renderer"] } },
  themeConfig: {
    search: { provider: "local" },
    outline: { level: [2, 3] },
    nav: [
      { text: "Quick start", link: "/guide/quick-start" },
      { text: "Guides", link: "/guide/library" },
      { text: "API", link: "/api/" },
      { text: "Benchmarks", link: "/BENCHMARKS" },
    ],
    sidebar: {
      "/": [...guides, references],
      "/api/": [
        {
          text: "API reference",
          link: "/api/",
          items: existsSync(apiSidebar) ? JSON.parse(readFileSync(apiSidebar, "utf8")) : [],
        },
      ],
    },
    docFooter: { prev: "Previous", next: "Next" },
    footer: { message: "MIT licensed." },
  },
};
