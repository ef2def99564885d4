import type { ServerResponse } from "node:http";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { acceptedToken, refuse, sha256, startHubServer } from "../support/hub-server.js";
import {
  benchModel as model,
  benchName as name,
  benchSum as sum,
  failure,
  type HubWorkbench,
  openHubWorkbench,
  quickTiming,
} from "../support/hub-workbench.js";

let bench: HubWorkbench;
beforeAll(async () => {
  bench = await openHubWorkbench();
});
afterEach(() => bench.reset());
afterAll(() => bench.close());

/** An address without a server. */
async function closedEndpoint(): Promise<string> {
  const server = await startHubServer();
  await server.close();
  return server.endpoint;
}

describe("a server that is busy or broken", () => {
  it.each([429, 500, 502, 503, 504, 408])("is asked again after %d", async (status) => {
    bench.serveModel();
    bench.server.next("resolve", (response) => refuse(response, status, "", "busy"));
    bench.server.next("blob", (response) => refuse(response, status, "", "busy"), 2);
    await bench.expectModel((await bench.fetch(name)).path);
  });

  it("waits for the time that the server requests", async () => {
    bench.serveModel();
    const times: number[] = [];
    bench.server.next("resolve", (response) => {
      times.push(performance.now());
      response.writeHead(429, { "retry-after": "1" }).end();
    });
    bench.server.next("resolve", (_, right) => {
      times.push(performance.now());
      return right();
    });
    await bench.expectModel((await bench.fetch(name)).path);
    // Only a lower bound: a slow machine cannot break it.
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(950);
  });

  it("does not wait too long, and says when to try again", async () => {
    bench.serveModel();
    bench.server.next("resolve", (response) => response.writeHead(429, { "retry-after": "3600" }).end(), 9);
    const error = await failure(bench.fetch(name));
    expect(error.message).toMatch(/too many requests \(status 429\); try again in 3600 seconds/);
    expect(bench.server.requests.length).toBe(1);
    const later = new Date(Date.now() + 7200_000).toUTCString();
    bench.server.forget();
    bench.server.next("resolve", (response) => response.writeHead(503, { "retry-after": later }).end(), 9);
    expect((await failure(bench.fetch(name))).message).toMatch(/try again in 7(19|20)\d seconds/);
  });

  it("is given up after some tries", async () => {
    bench.serveModel();
    bench.server.next("resolve", (response) => refuse(response, 500, "", "oops"), 100);
    const error = await failure(bench.fetch(name));
    expect(error).toMatchObject({ code: "DOWNLOAD_FAILED", details: { status: 500 } });
    expect(bench.server.requests.length).toBe(quickTiming.requestTries);
  });

  it("is a network failure if nothing listens at its address", async () => {
    const error = await failure(bench.fetch(name, { environment: { HF_ENDPOINT: await closedEndpoint() } }));
    expect(error.code).toBe("DOWNLOAD_FAILED");
    expect(error.message).toMatch(/no connection to 127\.0\.0\.1:\d+ \(ECONNREFUSED\); check the network/);
  });

  it("HF_HUB_OFFLINE sends no request, and the error says so", async () => {
    bench.serveModel();
    const error = await failure(bench.fetch(name, { environment: { HF_HUB_OFFLINE: "1" } }));
    expect(error.message).toMatch(/HF_HUB_OFFLINE is set, and the model is not in the cache/);
    expect(bench.server.requests).toEqual([]);
  });
});

describe("a model that is refused says what to do:", () => {
  const withToken = { environment: { HF_TOKEN: acceptedToken } };
  const withWrongToken = { environment: { HF_TOKEN: "hf_SomethingMistyped" } };

  it.each<[string, () => unknown, string, object, string, RegExp]>([
    [
      "no such repository",
      () => bench.serveModel(),
      "hf:owner/nothing/m.gguf",
      {},
      "ACCESS_DENIED",
      /no public model owner\/nothing.*HF_TOKEN/,
    ],
    [
      "no such repository, with a token",
      () => bench.serveModel(),
      "hf:owner/nothing",
      withToken,
      "FILE_NOT_FOUND",
      /no model owner\/nothing, or HF_TOKEN may not read it/,
    ],
    [
      "a private one",
      () => bench.serveModel("private"),
      name,
      {},
      "ACCESS_DENIED",
      /if it is private, set HF_TOKEN/,
    ],
    [
      "a gated one",
      () => bench.serveModel("gated"),
      name,
      {},
      "ACCESS_DENIED",
      /gated: accept its terms at http\S+\/owner\/repo and set HF_TOKEN/,
    ],
    [
      "a wrong token",
      () => bench.serveModel(),
      name,
      withWrongToken,
      "ACCESS_DENIED",
      /HF_TOKEN is refused.*settings\/tokens/,
    ],
    ["no such revision", () => bench.serveModel(), `${name}@v9`, {}, "FILE_NOT_FOUND", /no revision "v9"/],
    [
      "no such file",
      () => bench.serveModel(),
      "hf:owner/repo/model.guf",
      {},
      "FILE_NOT_FOUND",
      /no file "model\.guf" at revision "main"; it has folder\/model\.gguf$/,
    ],
    [
      "a name that cannot be one",
      () => bench.serveModel(),
      "hf:owner",
      {},
      "INVALID_ARGUMENT",
      /no repository.*expected hf:owner\/repo/,
    ],
  ])("%s", async (_, serve, asked, options, code, message) => {
    serve();
    const error = await failure(bench.fetch(asked, options));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.message).not.toMatch(/hf_[A-Z]/);
  });

  it.each([403, 410, 451, 400])("status %d, with the hub's message but never the token", async (status) => {
    bench.serveModel();
    bench.server.next("resolve", (response) =>
      refuse(response, status, "", `Access is disabled for ${acceptedToken}`),
    );
    const error = await failure(bench.fetch(name, withToken));
    expect(error.code).toBe(status === 403 ? "ACCESS_DENIED" : "DOWNLOAD_FAILED");
    expect(error.message).toContain("Access is disabled for …");
    expect(JSON.stringify([error.message, error.details, String(error.cause)])).not.toContain(acceptedToken);
    expect(error.details.status).toBe(status);
  });

  it("an invalid token is not repeated", async () => {
    bench.serveModel();
    const error = await failure(bench.fetch(name, { environment: { HF_TOKEN: "hf_Two\nLines" } }));
    expect(error.code).toBe("INVALID_ARGUMENT");
    expect(error.message).not.toContain("Two");
    const endpoint = { environment: { HF_ENDPOINT: "https://user:secret@example.com" } };
    expect((await failure(bench.fetch(name, endpoint))).message).not.toContain("secret");
  });
});

describe("the token", () => {
  it("opens gated models, and never follows a redirect to another origin", async () => {
    bench.serveModel("gated");
    bench.server.next("blob", (_, right) => right({ cutAfter: 200_000 }));
    const { path } = await bench.fetch(name, { environment: { HF_TOKEN: ` ${acceptedToken}\n` } });
    await bench.expectModel(path);
    const authorizations = bench.server.requests.map(({ kind, authorization }) => [kind, authorization]);
    expect(authorizations.length).toBeGreaterThan(4);
    for (const [kind, authorization] of authorizations) {
      expect(authorization).toBe(kind === "blob" ? undefined : `Bearer ${acceptedToken}`);
    }
  });

  it("is not sent to another host that a list names for its next page, nor is any request", async () => {
    bench.serveModel("gated");
    bench.server.next("tree", (response) =>
      response
        .writeHead(200, {
          link: `<${bench.server.cdn}/files/next>; rel="next"`,
          "content-type": "application/json",
        })
        .end("[]"),
    );
    await failure(bench.fetch("hf:owner/repo", { environment: { HF_TOKEN: acceptedToken } }));
    expect(bench.server.requests.map(({ kind }) => kind)).toEqual(["info", "tree", "resolve"]);
  });

  it("is not sent to URLs of other hosts", async () => {
    bench.server.plainFiles.set("m.gguf", model);
    await bench.fetch(`${bench.server.cdn}/files/m.gguf`, { environment: { HF_TOKEN: acceptedToken } });
    for (const { authorization } of bench.server.requests) expect(authorization).toBeUndefined();
  });
});

it("a list whose pages are empty and never end is given up", async () => {
  bench.serveModel();
  for (let page = 0; page < 300; page += 1) {
    bench.server.next("tree", (response) =>
      response
        .writeHead(200, { link: `</api/models/owner/repo/tree/x?cursor=${page}>; rel="next"` })
        .end("[]"),
    );
  }
  expect(await failure(bench.fetch("hf:owner/repo"))).toMatchObject({
    code: "DOWNLOAD_FAILED",
    message: expect.stringContaining("does not answer as a model hub does"),
  });
  expect(bench.server.requests.length).toBeLessThanOrEqual(202);
});

describe("redirects", () => {
  it("inside the hub are followed, as for a repository that was renamed", async () => {
    bench.serveModel();
    bench.server.renamed.set("owner/former", "owner/repo");
    for (const asked of ["hf:owner/former/folder/model.gguf", "hf:owner/former"]) {
      const { path } = await bench.fetch(asked, { refresh: true });
      expect(sha256(await readFile(path))).toBe(sum);
      expect(path).toContain("models--owner--former");
    }
  });

  it("of a mirror to the hub itself are followed, without the token", async () => {
    bench.serveModel();
    const mirror = bench.server.endpoint.replace("127.0.0.1", "localhost");
    const onward = (response: ServerResponse): unknown =>
      response
        .writeHead(308, { location: `${bench.server.endpoint}/owner/repo/resolve/main/folder/model.gguf` })
        .end();
    // Each is one request to the mirror, followed by its consequences.
    bench.server.next("resolve", onward);
    const environment = { HF_ENDPOINT: mirror, HF_TOKEN: acceptedToken };
    const { path } = await bench.fetch(name, { environment });
    expect(sha256(await readFile(path))).toBe(sum);
    const [first, second] = bench.server.requests;
    expect([first?.authorization, second?.authorization]).toEqual([`Bearer ${acceptedToken}`, undefined]);
  });

  it("in circles, or to an unsafe address, are refused", async () => {
    bench.serveModel();
    const to = (location: string) => (response: ServerResponse) =>
      response.writeHead(302, { location }).end();
    bench.server.next("resolve", to("/owner/repo/resolve/main/x"), 50);
    expect((await failure(bench.fetch(name))).message).toMatch(/redirects more than 10 times/);
    for (const location of ["file:///etc/passwd", "http://user:word@127.0.0.1/", "http://["]) {
      bench.server.forget();
      bench.server.next("resolve", to(location));
      expect((await failure(bench.fetch(name))).message).toMatch(/not safe to follow/);
    }
  });
});

describe("a signal", () => {
  it("stops a slow download immediately with its reason, keeps the received part, and leaves no lock", async () => {
    bench.serveModel();
    bench.server.next("blob", (_, right) => right({ pauseMs: 20 }));
    const controller = new AbortController();
    const reason = new Error("enough");
    const progress = (at: { readonly loadedBytes: number }): void => {
      if (at.loadedBytes >= 100_000) controller.abort(reason);
    };
    await expect(bench.fetch(name, { signal: controller.signal, onProgress: progress })).rejects.toBe(reason);
    expect(await bench.blobNames("owner/repo")).toEqual([`${sum}.bitnet-partial`]);
    bench.server.forget();
    const { path, transferredBytes } = await bench.fetch(name);
    expect(transferredBytes).toBeLessThanOrEqual(model.length - 100_000);
    await bench.expectModel(path);
  });

  it("that fired before asks nothing; one that fires while waiting ends the wait", async () => {
    bench.serveModel();
    const reason = { any: "thing" };
    await expect(bench.fetch(name, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(bench.server.requests).toEqual([]);

    for (const kind of ["resolve", "info"] as const) {
      const controller = new AbortController();
      bench.server.next(kind, (response) => {
        setTimeout(() => controller.abort(reason), 20);
        response.writeHead(429, { "retry-after": "2" }).end();
      });
      const asked = kind === "info" ? "hf:owner/repo" : name;
      await expect(bench.fetch(asked, { signal: controller.signal })).rejects.toBe(reason);
    }
  });
});

describe("room on the disk", () => {
  it("is checked before anything is downloaded", async () => {
    bench.serveModel();
    bench.server.next("resolve", (_, right) => right({ headers: { "x-linked-size": String(2 ** 52) } }));
    const error = await failure(bench.fetch(name));
    expect(error.code).toBe("FILE_WRITE");
    expect(error.message).toMatch(
      /it needs \d+ MB and the disk of ".*" has \d+ MB free; make room, or .*HF_HOME/,
    );
    expect(bench.server.requests.map(({ method }) => method)).toEqual(["HEAD"]);
  });

  it("may be unwritable, which is reported", async () => {
    bench.serveModel();
    const file = join(bench.folder, "file");
    await bench.fetch(name);
    await writeFile(file, "not a folder");
    const error = await failure(bench.fetch(name, { environment: { HF_HUB_CACHE: join(file, "hub") } }));
    expect(error.code).toBe("FILE_WRITE");
  });
});
