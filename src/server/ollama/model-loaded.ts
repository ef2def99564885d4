import type { Service } from "../service.js";

/** Answers an empty request. Ollama's clients preload a model with one; ours is always loaded. */
export function modelLoaded({ name }: Service, content: object): Response {
  return Response.json({
    model: name,
    created_at: new Date().toISOString(),
    ...content,
    done: true,
    done_reason: "load",
  });
}
