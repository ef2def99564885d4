import type { Hono } from "hono";
import { z } from "zod";
import { requestPart, requestReader } from "../requests/body.js";
import type { Service } from "../service.js";

const readRequest = requestReader({
  texts: requestPart(
    {
      input: z.union([z.string(), z.array(z.string()).max(2048)], {
        error: "expected a string or an array of at most 2048 strings",
      }),
    },
    ({ input }) => [input].flat(),
  ),
});

/** `/api/embed`. */
export function addEmbed(app: Hono, { name, embed }: Service): void {
  app.post("/api/embed", async (context) => {
    const startedMs = performance.now();
    const { texts } = await readRequest(context);
    const { vectors, tokens } = await embed(context, texts);
    return context.json({
      model: name,
      embeddings: vectors.map((vector) => [...vector]),
      total_duration: Math.round((performance.now() - startedMs) * 1e6),
      load_duration: 0,
      prompt_eval_count: tokens,
    });
  });
}
