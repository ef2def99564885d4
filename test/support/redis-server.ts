import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";

/** The first Redis server in PATH. Valkey is its free continuation. Undefined if there is none. */
export const redisProgram: string | undefined = ["redis-server", "valkey-server"].find(
  (name) => spawnSync(name, ["--version"]).status === 0,
);

/** A Redis of our own, whose data outlives restarts. */
export interface RedisServer extends AsyncDisposable {
  readonly url: string;
  start(): Promise<void>;
  /** Stops it. With SIGKILL, it may lose its last second. */
  stop(signal: NodeJS.Signals): Promise<void>;
}

/** Starts Redis on a free port of this machine. */
export async function startRedis(program: string, ...flags: string[]): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), "bitnet-redis-"));
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  let child: ChildProcess | undefined;

  const server: RedisServer = {
    url,
    async start(): Promise<void> {
      const place = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder];
      const data = ["--appendonly", "yes", "--save", ""];
      child = spawn(program, [...place, ...data, ...flags], { stdio: "ignore" });
      const client = new Redis(url, { maxRetriesPerRequest: null, retryStrategy: () => 50 });
      client.on("error", () => undefined);
      await client.ping();
      client.disconnect();
    },
    async stop(signal): Promise<void> {
      if (child?.exitCode !== null || child.signalCode !== null) return;
      const exit = once(child, "exit");
      child.kill(signal);
      await exit;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await server.stop("SIGKILL");
      await rm(folder, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
