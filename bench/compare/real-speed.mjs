// Speed of both sides on a real model, for the table of `npm run test:real`.
import { startSide } from "./side.mjs";

const tests = [
  { kind: "pp", tokens: 128, what: "prefill, 128 tokens" },
  { kind: "tg", tokens: 64, what: "decode, 64 tokens" },
];
const rounds = 3;
const threads = 2;

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

/** Rows of the table: medians of alternating rounds in one run. */
export async function compareSpeed({ id, path }, llamaCppUrl) {
  const settings = { path, threads, contextLength: 512 };
  const common = { command: process.execPath, args: [] };
  const ours = await startSide({ ...common, id: "ours", script: "ours.mjs", settings });
  try {
    const theirs = await startSide({
      ...common,
      id: "llama",
      script: "rival.mjs",
      settings: { ...settings, llamaCppUrl },
    });
    try {
      const rows = [];
      for (const { kind, tokens, what } of tests) {
        const speeds = { ours: [], theirs: [] };
        for (let round = -1; round < rounds; round += 1) {
          for (const [name, side] of Object.entries({ ours, theirs })) {
            const milliseconds = await side.measure({ kind, tokens, position: 0 });
            // Round −1 warms up.
            if (round >= 0) speeds[name].push((tokens * 1000) / milliseconds);
          }
        }
        const ratio = median(speeds.ours.map((speed, round) => speed / speeds.theirs[round]));
        rows.push({
          model: id,
          what,
          ours: `${median(speeds.ours).toFixed(1)} tokens/s`,
          theirs: `${median(speeds.theirs).toFixed(1)} tokens/s`,
          note: `ratio ${ratio.toFixed(2)} on ${threads} threads`,
        });
      }
      await theirs.stop();
      await ours.stop();
      return rows;
    } finally {
      theirs.kill();
    }
  } finally {
    ours.kill();
  }
}
