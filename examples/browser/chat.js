// A chat with a model that runs in a worker of this page.
import { createWorkerModel } from "bitnet-wasm";

const names =
  "model change chooser choice other name load file loading stage progress amount cancel error log spoken ask text send stop reset speed drop";
const ui = Object.fromEntries(names.split(" ").map((name) => [name, document.getElementById(name)]));
const stages = {
  download: "Downloading the model",
  open: "Opening the model",
  weights: "Reading the weights",
  ready: "Starting",
};

let model;
let chat;
/** Stops what is under way: a download or an answer. */
let controller = new AbortController();

/** Shows the parts of a state: "choosing", "loading", "ready" or "answering". */
function show(state) {
  ui.chooser.hidden = state !== "choosing";
  ui.loading.hidden = state !== "loading";
  ui.change.hidden = chat === undefined || !["choosing", "ready"].includes(state);
  ui.change.textContent = state === "choosing" ? "Back" : "Change";
  ui.send.disabled = ui.text.disabled = ui.reset.disabled = state !== "ready";
  ui.stop.disabled = state !== "answering";
}

function showError(error) {
  ui.error.hidden = error === undefined;
  ui.error.textContent = error?.code ? `${error.message} (${error.code})` : (error?.message ?? "");
}

function showProgress({ stage, loadedBytes, totalBytes }) {
  const megabytes = (bytes) => (bytes / 1e6).toFixed(bytes < 1e8 ? 1 : 0);
  ui.stage.textContent = stages[stage];
  ui.progress.value = totalBytes > 0 ? loadedBytes / totalBytes : 1;
  ui.amount.textContent = `${megabytes(loadedBytes)} of ${megabytes(totalBytes)} MB`;
}

async function load(source, name) {
  showError(undefined);
  ui.stage.textContent = "Looking for the model";
  ui.amount.textContent = "";
  ui.progress.removeAttribute("value");
  show("loading");
  ui.cancel.focus();
  controller = new AbortController();
  const { signal } = controller;
  try {
    await model?.dispose();
    model = chat = undefined;
    ui.model.textContent = "No model loaded";
    const workerUrl = new URL("worker.js", document.baseURI);
    model = await createWorkerModel(source, { workerUrl, signal, onProgress: showProgress });
    chat = await model.chat();
    const { threads } = model.info;
    ui.model.textContent = `${name}, ${threads === 0 ? "one thread" : `${threads} threads`}`;
    ui.log.replaceChildren();
    show("ready");
    ui.text.focus();
  } catch (error) {
    show("choosing");
    if (!signal.aborted) showError(error);
    ui.load.focus();
  }
}

function addMessage(role, label, content) {
  const article = document.createElement("article");
  article.className = role;
  article.setAttribute("aria-label", label);
  const [thought, text] = [document.createElement("p"), document.createElement("p")];
  thought.className = "thought";
  text.textContent = content;
  article.append(...(role === "user" ? [text] : [thought, text]));
  ui.log.append(article);
  ui.log.scrollTop = ui.log.scrollHeight;
  return { article, thought, text };
}

async function answer(question) {
  showError(undefined);
  addMessage("user", "You", question);
  const { article, thought, text } = addMessage("assistant", "Answer", "");
  article.setAttribute("aria-busy", "true");
  show("answering");
  ui.speed.textContent = "Reading…";
  ui.stop.focus();
  controller = new AbortController();
  const { signal } = controller;
  let [tokens, startedMs] = [0, 0];
  try {
    for await (const piece of chat.send(question, { signal })) {
      (piece.thinking ? thought : text).append(piece.text);
      ui.log.scrollTop = ui.log.scrollHeight;
      if (tokens === 0) startedMs = performance.now();
      else {
        const seconds = (performance.now() - startedMs) / 1000;
        ui.speed.textContent = `${(tokens / seconds).toFixed(1)} tokens/s`;
      }
      tokens += 1;
    }
  } catch (error) {
    if (!signal.aborted) showError(error);
  }
  if (ui.speed.textContent === "Reading…") ui.speed.textContent = "";
  article.removeAttribute("aria-busy");
  // Screen readers get the whole answer, not single tokens.
  ui.spoken.textContent = text.textContent;
  show("ready");
  ui.text.focus();
}

ui.choice.onchange = () => {
  ui.other.hidden = ui.choice.value !== "";
  if (!ui.other.hidden) ui.name.focus();
};
ui.chooser.onsubmit = (event) => {
  event.preventDefault();
  const { value } = ui.choice;
  if (value === "") {
    const name = ui.name.value.trim();
    return void load(/^(hf|https?):/.test(name) ? name : `hf:${name}`, name);
  }
  const [name] = ui.choice.selectedOptions[0].textContent.split(":");
  return void load(value.startsWith("hf:") ? value : new URL(value, document.baseURI).href, name);
};
ui.file.onchange = () => {
  const [file] = ui.file.files;
  if (file) void load(file, file.name);
  ui.file.value = "";
};
ui.change.onclick = () => {
  const open = ui.chooser.hidden;
  show(open ? "choosing" : "ready");
  (open ? ui.choice : ui.text).focus();
};
ui.cancel.onclick = () => controller.abort();
ui.stop.onclick = () => controller.abort();
document.onkeydown = (event) => {
  if (event.key === "Escape") controller.abort();
};
ui.reset.onclick = async () => {
  await chat.restart([]);
  ui.log.replaceChildren();
  ui.speed.textContent = "";
  showError(undefined);
  ui.text.focus();
};
ui.text.onkeydown = (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  ui.ask.requestSubmit();
};
ui.ask.onsubmit = (event) => {
  event.preventDefault();
  const question = ui.text.value.trim();
  if (ui.send.disabled || question === "") return;
  ui.text.value = "";
  void answer(question);
};

document.ondragover = (event) => {
  event.preventDefault();
  ui.drop.hidden = false;
};
document.ondragleave = (event) => {
  if (event.relatedTarget === null) ui.drop.hidden = true;
};
document.ondrop = (event) => {
  event.preventDefault();
  ui.drop.hidden = true;
  const [file] = event.dataTransfer.files;
  if (!file) return;
  // An answer under way belongs to the model that goes.
  controller.abort();
  void load(file, file.name);
};
