// A side of the comparison is a process that loads its model once and then measures what it is told, one thing at a time.

/** Token ids that both sides evaluate: inside any vocabulary here, and the same every time. */
export function promptIds(count) {
  return Array.from({ length: count }, (_, i) => 100 + ((i * 97) % 1900));
}

/** Answers each { kind, tokens, position } with { milliseconds }. */
export function serveMeasurements(ready, measure, stop) {
  process.on("message", async (message) => {
    if (message.kind === "stop") {
      await stop();
      process.exit(0);
    }
    try {
      process.send({ milliseconds: await measure(message) });
    } catch (error) {
      process.send({ error: error?.stack ?? String(error) });
    }
  });
  process.send({ ready });
}
