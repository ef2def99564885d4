import type * as Bullmq from "bullmq";
import type * as Ioredis from "ioredis";
import { BitNetError } from "../../errors.js";

/** A connection to Redis that comes back by itself, and the package of the queue. */
export interface RedisConnection {
  readonly bullmq: typeof Bullmq;
  readonly client: Ioredis.Redis;
  /** The address without the password. */
  readonly address: string;
  /** Whether the connection is lost now. */
  readonly isLost: boolean;
  /** Called when Redis is there again after a loss. It may have lost its last second, or everything. */
  onReturn: (() => void) | undefined;
  /** Ends the connection and its copies in BullMQ. Commands under way fail. */
  close(): void;
}

const connectTimeoutMs = 10_000;
const maxPauseMs = 2000;

/**
 * Connects to Redis. A lost connection is tried again until `close`, and commands wait for it.
 *
 * @param onNote receives a sentence when the connection is lost, and when it is there again.
 * @throws BitNetError INVALID_ARGUMENT for another URL; BATCH_FAILED if Redis or a package cannot be used.
 */
export async function connectRedis(url: string, onNote: (note: string) => void): Promise<RedisConnection> {
  const address = publicAddress(url);
  const { bullmq, ioredis } = await importPackages();
  let isFirst = true;
  let isLost = false;
  let isClosed = false;
  let lastError: unknown;
  const client = new ioredis.Redis(url, {
    lazyConnect: true,
    connectTimeout: connectTimeoutMs,
    // BullMQ's workers need it: a command waits for a lost connection.
    maxRetriesPerRequest: null,
    retryStrategy: (times) => (isFirst || isClosed ? null : Math.min(50 * 2 ** times, maxPauseMs)),
  });
  // BullMQ copies the client for commands that block. Without Redis, it never ends the copies itself.
  const copies: Ioredis.Redis[] = [];
  const duplicate = client.duplicate.bind(client);
  client.duplicate = (override) => {
    const copy = duplicate(override);
    copies.push(copy);
    return copy;
  };
  const connection: RedisConnection = {
    bullmq,
    client,
    address,
    get isLost() {
      return isLost;
    },
    onReturn: undefined,
    close(): void {
      isClosed = true;
      for (const one of [client, ...copies]) one.disconnect();
    },
  };
  client.on("error", (error) => (lastError = error));
  try {
    await client.connect();
    // A wrong password shows at the first command.
    await client.ping();
  } catch (cause) {
    connection.close();
    throw unreachable(address, lastError ?? cause);
  }
  isFirst = false;
  client.on("close", () => {
    if (isLost || isClosed) return;
    isLost = true;
    onNote(`Redis at ${address} is lost; waiting for its return`);
  });
  client.on("ready", () => {
    if (isLost) onNote(`Redis at ${address} is back`);
    isLost = false;
    connection.onReturn?.();
  });
  return connection;
}

/** Optional packages: only users of a queue install them. */
async function importPackages(): Promise<{ bullmq: typeof Bullmq; ioredis: typeof Ioredis }> {
  try {
    const [bullmq, ioredis] = await Promise.all([import("bullmq"), import("ioredis")]);
    return { bullmq, ioredis };
  } catch (cause) {
    if ((cause as { readonly code?: unknown }).code !== "ERR_MODULE_NOT_FOUND") throw cause;
    throw new BitNetError(
      "BATCH_FAILED",
      "Cannot use --redis: it needs two packages that are not installed; run: npm install bullmq ioredis",
      { cause },
    );
  }
}

/** @throws BitNetError INVALID_ARGUMENT */
function publicAddress(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !["redis:", "rediss:"].includes(url.protocol)) {
    throw new BitNetError(
      "INVALID_ARGUMENT",
      "Invalid --redis: expected a URL, such as redis://localhost:6379 (rediss:// is TLS)",
    );
  }
  return `${url.protocol}//${url.host}${url.pathname}`;
}

function unreachable(address: string, cause: unknown): BitNetError {
  // Node.js gives the errors of several addresses, such as ::1 and 127.0.0.1, in one error without a message.
  const [first] = cause instanceof AggregateError ? (cause.errors as unknown[]) : [cause];
  const why = first instanceof Error ? first.message : String(first);
  return new BitNetError(
    "BATCH_FAILED",
    `Cannot use Redis at ${address}: ${why}; start it, or correct --redis`,
    { cause, details: { address } },
  );
}
