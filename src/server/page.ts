/** The chat page: one document that loads nothing else. */
export const chatPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>bitnet</title>
<style>
  :root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
  body { max-width: 44rem; margin: 0 auto; padding: 1rem; }
  #log > p { white-space: pre-wrap; overflow-wrap: anywhere; }
  #log > .user { font-weight: 600; }
  label { display: block; margin-top: .5rem; }
  textarea, input { width: 100%; box-sizing: border-box; font: inherit; }
  button { font: inherit; padding: .3rem 1rem; margin: .5rem .5rem 0 0; }
</style>
<main>
  <h1>bitnet</h1>
  <div id="log" role="log" aria-live="polite" aria-label="Conversation"></div>
  <form>
    <label for="text">Message</label>
    <textarea id="text" rows="3" required></textarea>
    <button id="send">Send</button><button id="stop" type="button" disabled>Stop</button>
    <p id="status" role="status"></p>
    <details><summary>API key</summary>
      <label for="key">Key, where the server wants one</label><input id="key" type="password" autocomplete="off">
    </details>
  </form>
</main>
<script type="module">
  const [log, form, text, send, stop, status, key] =
    ["#log", "form", "#text", "#send", "#stop", "#status", "#key"].map((name) => document.querySelector(name));
  const messages = [];
  let controller;
  function show(role, content) {
    const line = document.createElement("p");
    line.className = role;
    line.textContent = content;
    log.append(line);
    return line;
  }
  stop.onclick = () => controller?.abort();
  text.onkeydown = (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  };
  form.onsubmit = async (event) => {
    event.preventDefault();
    if (send.disabled) return;
    messages.push({ role: "user", content: text.value });
    show("user", text.value);
    text.value = "";
    const line = show("assistant", "");
    controller = new AbortController();
    [send.disabled, stop.disabled, status.textContent] = [true, false, "Writing"];
    let answer = "", tokens = 0, startedMs;
    try {
      const response = await fetch("v1/chat/completions", {
        method: "POST",
        signal: controller.signal,
        headers: { "Content-Type": "application/json", ...(key.value && { Authorization: "Bearer " + key.value }) },
        body: JSON.stringify({ model: "", messages, stream: true, stream_options: { include_usage: true } }),
      });
      if (!response.ok) throw new Error((await response.json()).error.message);
      let rest = "";
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        startedMs ??= performance.now();
        const events = (rest + part.value).split("\\n\\n");
        rest = events.pop();
        for (const line of events) {
          if (line === "data: [DONE]") continue;
          const data = JSON.parse(line.slice(6));
          if (data.error) throw new Error(data.error.message);
          answer += data.choices[0]?.delta.content ?? "";
          tokens = data.usage?.completion_tokens ?? tokens;
        }
        line.textContent = answer;
      }
      const seconds = (performance.now() - startedMs) / 1000;
      status.textContent = tokens + " tokens, " + ((tokens - 1) / seconds).toFixed(1) + " tokens/s";
    } catch (error) {
      status.textContent = error.name === "AbortError" ? "Stopped" : error.message;
    }
    if (answer !== "") messages.push({ role: "assistant", content: answer });
    else { messages.pop(); line.remove(); }
    [send.disabled, stop.disabled] = [false, true];
    text.focus();
  };
</script>
</html>
`;

/** What the page may do: run its own script and talk to its own server. */
export const chatPagePolicy =
  "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
