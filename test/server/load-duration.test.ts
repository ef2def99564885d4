import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { severalServer, watchedModel } from "./several-models.js";

afterEach(() => {
  vi.restoreAllMocks();
});

const options = { temperature: 0, num_predict: 1 };
const requests: readonly (readonly [string, object])[] = [
  ["/api/chat", { messages: [{ role: "user", content: "A" }], options, stream: false }],
  ["/api/generate", { prompt: "A", options, stream: false }],
  ["/api/embed", { input: "A" }],
];

test.each(requests)("%s has the time that its model took to load, once", async (path, body) => {
  const now = performance.now.bind(performance);
  let passedMs = 0;
  vi.spyOn(performance, "now").mockImplementation(() => now() + passedMs);
  const model = watchedModel();
  // Far longer than anything else that happens here.
  const loadMs = 1e5;
  model.before = (): void => void (passedMs += loadMs);
  const { server, post } = severalServer({ a: model });
  onTestFinished(() => server.dispose());
  const durations: (readonly [number, number])[] = [];
  for (let count = 0; count < 2; count += 1) {
    const answer = await post(path, { model: "a", ...body });
    expect(answer).toMatchObject({ status: 200 });
    const told = answer.body as { readonly load_duration: number; readonly total_duration: number };
    durations.push([told.load_duration, told.total_duration]);
  }
  expect(model.loads()).toBe(1);
  const [[firstLoad, firstTotal] = [0, 0], [load, total] = [0, 0]] = durations;
  expect(firstLoad).toBeGreaterThanOrEqual(loadMs * 1e6);
  expect(load).toBeGreaterThan(0);
  expect(load).toBeLessThan(loadMs * 1e6);
  expect(firstTotal).toBeGreaterThan(firstLoad);
  expect(total).toBeGreaterThan(load);
});
