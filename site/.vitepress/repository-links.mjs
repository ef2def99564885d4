import { posix } from "node:path";

/**
 * A markdown-it rule for links that leave docs/, such as `../src/errors.ts`. They lead to the repository if
 * its address is known. Else they become code without a link.
 *
 * @param repositoryUrl address of the files of a branch, such as "https://example.org/owner/repo/blob/main"
 */
export function repositoryLinks(md, repositoryUrl) {
  md.core.ruler.push("repository-links", ({ tokens, env }) => {
    for (const token of tokens) {
      if (token.type === "inline") token.children = rewrite(token.children, env.relativePath ?? "");
    }
  });

  function rewrite(children, page) {
    const kept = [];
    let isInside = false;
    for (const token of children) {
      const path = token.type === "link_open" ? repositoryPath(page, token.attrGet("href")) : undefined;
      if (path !== undefined && repositoryUrl !== undefined) {
        token.attrSet("href", `${repositoryUrl.replace(/\/$/, "")}/${path}`);
      } else if (path !== undefined) {
        isInside = true;
        continue;
      } else if (isInside && token.type === "link_close") {
        isInside = false;
        continue;
      } else if (isInside && token.type === "text") {
        token.type = "code_inline";
        token.tag = "code";
      }
      kept.push(token);
    }
    return kept;
  }
}

/** The path from the repository's root of a link out of docs/. Undefined for all other links. */
function repositoryPath(page, href) {
  if (/^([a-z]+:|#|\/)/i.test(href)) return undefined;
  // Pages of docs/ are served without that folder.
  const path = posix.join("docs", posix.dirname(page), href);
  return path.startsWith("docs/") ? undefined : path;
}
