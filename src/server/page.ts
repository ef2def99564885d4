const style = `
  :root {
    color-scheme: light dark;
    font: 1rem/1.55 system-ui, sans-serif;
    --page: #fbfaf8; --panel: #fff; --mine: #e7eefb; --text: #1d1f23; --faint: #5c6270; --line: #d6d8dd;
    --accent: #1d5bbf; --on-accent: #fff; --danger: #b3261e;
  }
  @media (prefers-color-scheme: dark) {
    :root {
      --page: #15171b; --panel: #1e2127; --mine: #24324d; --text: #e8e9ec; --faint: #a3a9b6; --line: #3a3f49;
      --accent: #8ab4f8; --on-accent: #10223f; --danger: #f2b8b5;
    }
  }
  * { box-sizing: border-box; }
  body { margin: 0; background: var(--page); color: var(--text); }
  main { max-width: 46rem; height: 100vh; height: 100dvh; margin: 0 auto; padding: 0 1rem; display: flex; flex-direction: column; }
  header { display: flex; align-items: center; gap: 1rem; padding: .6rem 0; border-bottom: 1px solid var(--line); }
  h1 { font-size: 1.1rem; margin: 0; flex: none; }
  #model { margin: 0; flex: 1; color: var(--faint); font-size: .9rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
  #log { flex: 1; overflow-y: auto; padding: 1rem 0; }
  #log:empty::before { content: "Write a message to begin."; color: var(--faint); display: block; text-align: center; padding-top: 30vh; }
  #log:focus-visible, :is(button, textarea, input, summary):focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
  article { max-width: 90%; width: fit-content; margin: 0 0 1rem; padding: .6rem .9rem; border-radius: .9rem; background: var(--panel); border: 1px solid var(--line); }
  article.user { margin-left: auto; background: var(--mine); border-color: transparent; }
  article > p { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; min-height: 1.55em; }
  article > p.thought { color: var(--faint); font-size: .9rem; min-height: 0; margin-bottom: .5rem; }
  article > small { color: var(--faint); font-size: .8rem; }
  article[aria-busy=true] > p:last-child::after { content: ""; display: inline-block; width: .5em; height: 1em; margin-left: .1em; vertical-align: -.15em; background: var(--accent); animation: blink 1s steps(2) infinite; }
  @keyframes blink { to { opacity: 0; } }
  @media (prefers-reduced-motion: reduce) { article[aria-busy=true] > p:last-child::after { animation: none; } }
  form { padding: .6rem 0 .8rem; border-top: 1px solid var(--line); }
  label { display: block; font-size: .85rem; color: var(--faint); margin-bottom: .25rem; }
  textarea, input { width: 100%; font: inherit; color: inherit; background: var(--panel); border: 1px solid var(--line); border-radius: .6rem; padding: .5rem .7rem; }
  textarea { resize: vertical; min-height: 3.2rem; max-height: 40vh; display: block; }
  .row { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem; margin-top: .5rem; }
  button { font: inherit; padding: .35rem 1rem; border-radius: .6rem; border: 1px solid var(--line); background: var(--panel); color: inherit; cursor: pointer; }
  button:disabled { opacity: .45; cursor: default; }
  #send { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
  #status, #speed { margin: 0; color: var(--faint); font-size: .9rem; font-variant-numeric: tabular-nums; }
  #status { margin-left: auto; }
  #speed:empty { display: none; }
  #status.failed { color: var(--danger); }
  details { margin-top: .5rem; font-size: .9rem; color: var(--faint); }
  .hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
`;

const script = `
  const [log, form, text, send, stop, reset, status, speed, spoken, access, key, model] =
    ["#log", "form", "#text", "#send", "#stop", "#reset", "#status", "#speed", "#spoken", "#access", "#key", "#model"].map((name) => document.querySelector(name));
  let messages = [];
  let controller;

  const headers = () => ({ "Content-Type": "application/json", ...(key.value && { Authorization: "Bearer " + key.value }) });
  async function refusal(response) {
    if (response.status === 401) access.open = true;
    const body = await response.json().catch(() => undefined);
    return new Error(body?.error?.message ?? "The server answered " + response.status);
  }
  async function nameModel() {
    const response = await fetch("v1/models", { headers: headers() });
    if (!response.ok) throw await refusal(response);
    model.textContent = (await response.json()).data[0].id;
  }
  function tell(line, failed = false) {
    status.textContent = line;
    status.classList.toggle("failed", failed);
  }
  function show(role, name, content) {
    const article = document.createElement("article");
    article.className = role;
    article.setAttribute("aria-label", name);
    const line = document.createElement("p");
    line.textContent = content;
    article.append(line);
    log.append(article);
    log.scrollTop = log.scrollHeight;
    return article;
  }
  /** Gives screen readers whole sentences instead of single tokens. */
  function speaker() {
    let said = 0;
    return (answer, whole) => {
      const end = whole ? answer.length : answer.slice(said).search(/[.!?\\n][^.!?\\n]*$/) + said + 1;
      if (end <= said) return;
      spoken.textContent = answer.slice(said, end);
      said = end;
    };
  }

  stop.onclick = () => controller?.abort();
  reset.onclick = () => {
    controller?.abort();
    messages = [];
    log.replaceChildren();
    tell("");
    text.focus();
  };
  document.onkeydown = (event) => {
    if (event.key === "Escape") controller?.abort();
  };
  text.onkeydown = (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  };
  key.onchange = () => nameModel().then(() => tell(""), (error) => tell(error.message, true));

  form.onsubmit = async (event) => {
    event.preventDefault();
    if (send.disabled || text.value.trim() === "") return;
    const conversation = messages;
    const question = text.value;
    conversation.push({ role: "user", content: question });
    const asked = show("user", "You", question);
    text.value = "";
    const article = show("assistant", "Answer", "");
    const line = article.firstChild;
    article.setAttribute("aria-busy", "true");
    const speak = speaker();
    const mine = (controller = new AbortController());
    [send.disabled, stop.disabled] = [true, false];
    tell("Reading");
    let thought = "", answer = "", pieces = 0, usage, startedMs, ended = "Stopped", failed = false;
    try {
      const response = await fetch("v1/chat/completions", {
        method: "POST",
        signal: mine.signal,
        headers: headers(),
        body: JSON.stringify({ model: model.textContent, messages: conversation, stream: true, stream_options: { include_usage: true } }),
      });
      if (!response.ok) throw await refusal(response);
      let rest = "", done = false;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        const events = (rest + part.value).split("\\n\\n");
        rest = events.pop();
        for (const each of events) {
          if (each === "data: [DONE]") { done = true; continue; }
          const data = JSON.parse(each.slice(6));
          if (data.error) throw new Error(data.error.message);
          const { content = "", reasoning_content: thinking = "" } = data.choices[0]?.delta ?? {};
          if (content + thinking) { startedMs ??= performance.now(); pieces += 1; }
          answer += content;
          thought += thinking;
          usage = data.usage ?? usage;
        }
        const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
        line.textContent = answer;
        if (thought !== "") {
          if (article.firstChild === line) line.before(Object.assign(document.createElement("p"), { className: "thought" }));
          article.firstChild.textContent = thought;
        }
        if (atEnd) log.scrollTop = log.scrollHeight;
        speak(answer, false);
        const seconds = (performance.now() - startedMs) / 1000;
        const doing = answer === "" ? "Thinking" : "Writing";
        if (pieces > 0 && status.textContent !== doing) tell(doing);
        // Outside the status element: a screen reader would read every change aloud.
        if (pieces > 4) speed.textContent = (pieces / seconds).toFixed(1) + " tokens/s";
      }
      if (!done) throw new Error("The connection ended before the answer did");
      ended = "";
    } catch (error) {
      if (error.name !== "AbortError") [ended, failed] = [error.message, true];
    }
    article.removeAttribute("aria-busy");
    speed.textContent = "";
    if (answer !== "") {
      const tokens = usage?.completion_tokens ?? pieces;
      const seconds = (performance.now() - startedMs) / 1000;
      const speed = tokens > 1 && seconds > 0 ? ", " + ((tokens - 1) / seconds).toFixed(1) + " tokens/s" : "";
      const summary = document.createElement("small");
      summary.textContent = tokens + (tokens === 1 ? " token" : " tokens") + speed + (ended && !failed ? ", stopped" : "");
      article.append(summary);
      speak(answer, true);
      conversation.push({ role: "assistant", content: answer, ...(thought && { reasoning_content: thought }) });
      tell(failed ? ended : summary.textContent, failed);
    } else {
      // There is no answer, so the question goes back into the text field.
      conversation.pop();
      article.remove();
      if (failed && conversation === messages) { asked.remove(); text.value ||= question; }
      tell(ended || "The answer is empty", failed);
    }
    [send.disabled, stop.disabled] = [false, true];
    if (conversation === messages) text.focus();
    else tell("");
  };
  nameModel().catch((error) => tell(error.message, true));
`;

/** The chat page: one document without further resources. */
export function chatPage(): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>bitnet</title>
<style>${style}</style>
<main>
  <header><h1>bitnet</h1><p id="model" title="The model"></p><button id="reset" type="button">New chat</button></header>
  <div id="log" role="log" aria-live="off" aria-label="Conversation" tabindex="0"></div>
  <form>
    <label for="text">Message (Enter sends, Shift+Enter begins a new line, Escape stops the answer)</label>
    <textarea id="text" rows="2" required autofocus></textarea>
    <div class="row">
      <button id="send">Send</button><button id="stop" type="button" disabled>Stop</button>
      <p id="status" role="status"></p><p id="speed"></p>
    </div>
    <p id="spoken" class="hidden" aria-live="polite"></p>
    <details id="access"><summary>API key</summary>
      <label for="key">Key, where the server wants one; it is kept until this page is closed</label><input id="key" type="password" autocomplete="off">
    </details>
  </form>
</main>
<script type="module">${script}</script>
</html>
`;
}

let policy: Promise<string> | undefined;

/** The page's Content-Security-Policy: it can run its own script and reach its own server. */
export function chatPagePolicy(): Promise<string> {
  return (policy ??= describePolicy());
}

async function describePolicy(): Promise<string> {
  const [scriptHash, styleHash] = await Promise.all([script, style].map(sha256));
  return `default-src 'none'; script-src '${scriptHash}'; style-src '${styleHash}'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
}

async function sha256(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return `sha256-${btoa(String.fromCharCode(...digest))}`;
}
