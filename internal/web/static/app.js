// The page itself: takes pictures however they come and keeps the list of cards.
// Without this script the form still works as a plain form.
import { models } from "./api.js";
import { Card } from "./card.js";
import { copying } from "./copy.js";

// More at once is a folder, and the command line does folders better.
const most = 64;
// Enough to keep a server busy, few enough not to be refused as overload.
const atOnce = 4;

const ask = document.getElementById("ask");
const input = document.getElementById("pictures");
const chooser = document.getElementById("model");
const key = document.getElementById("key");
const keyField = document.getElementById("key-field");
const results = document.getElementById("results");
const list = document.getElementById("cards");
const status = document.getElementById("status");
const maxBytes = Number(ask.dataset.maxBytes) || 0;

let cards = [];
let waiting = [];
let running = 0;
let note = "";

function take(pictures) {
  if (pictures.length === 0) return;
  note = pictures.length > most ? `Only the first ${most} of ${pictures.length} were taken; “goshawk predict” classifies whole folders.` : "";
  const fresh = pictures.slice(0, most).map(({ file, address }) => new Card({
    file, address, maxBytes, settings, changed: report, removed, run: enqueue,
  }));
  list.prepend(...fresh.map((card) => card.element));
  cards = [...fresh, ...cards];
  results.hidden = false;
  fresh.forEach(enqueue);
  fresh[0].element.scrollIntoView({ block: "nearest", behavior: calm() ? "auto" : "smooth" });
}

function settings() {
  return { model: chooser.value, key: key.value };
}

function enqueue(card) {
  card.wait();
  if (!waiting.includes(card)) waiting.push(card);
  pump();
}

function pump() {
  while (running < atOnce && waiting.length > 0) {
    running++;
    waiting.shift().classify().finally(() => {
      running--;
      pump();
    });
  }
  report();
}

function report() {
  const done = cards.filter((card) => card.state === "done").length;
  const refused = cards.filter((card) => card.state === "refused").length;
  const parts = [];
  if (done) parts.push(`${done} classified`);
  if (refused) parts.push(`${refused} refused`);
  if (cards.length > done + refused) parts.push(`${cards.length - done - refused} waiting`);
  status.textContent = [parts.join(", "), note].filter(Boolean).join(". ");
  if (cards.some((card) => card.keyNeeded) && keyField.hidden) {
    keyField.hidden = false;
    key.focus();
  }
}

function removed(card) {
  const at = cards.indexOf(card);
  cards = cards.filter((other) => other !== card);
  waiting = waiting.filter((other) => other !== card);
  // The button that had the focus is gone: hand it to a neighbour, not to the top of the page.
  (cards[Math.min(at, cards.length - 1)]?.removeButton ?? input).focus();
  results.hidden = cards.length === 0;
  report();
}

function calm() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

const filesOf = (transfer) => [...transfer.files].map((file) => ({ file }));

input.addEventListener("change", () => {
  take(filesOf(input));
  input.value = ""; // so that the same file can be chosen again
});
ask.addEventListener("submit", (event) => event.preventDefault());
chooser.addEventListener("change", () => cards.forEach(enqueue));
key.addEventListener("change", () => {
  refreshModels();
  cards.filter((card) => card.keyNeeded).forEach(enqueue);
});
document.getElementById("clear").addEventListener("click", () => {
  [...cards].forEach((card) => card.remove());
  input.focus();
});

document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length > 0) {
    event.preventDefault();
    take(filesOf(event.clipboardData));
  }
});

// The whole window takes drops: a near miss would make the browser leave the page.
let depth = 0;
const over = (dragging) => document.body.classList.toggle("dragging", dragging);
addEventListener("dragenter", (event) => {
  if (event.dataTransfer?.types.includes("Files")) over(++depth > 0);
});
addEventListener("dragleave", () => {
  depth = Math.max(0, depth - 1);
  over(depth > 0);
});
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  depth = 0;
  over(false);
  if (event.dataTransfer) take(filesOf(event.dataTransfer));
});

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-example]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const answer = await fetch(link.href);
  const bytes = await answer.blob();
  take([{ file: new File([bytes], link.dataset.example, { type: bytes.type }), address: link.href }]);
});

// The list that the server drew may be older than the models it has now.
async function refreshModels() {
  const { references, keyNeeded } = await models(key.value);
  if (keyNeeded) keyField.hidden = false;
  if (references.length === 0) return;
  const chosen = chooser.value;
  chooser.replaceChildren(...references.map((name) => new Option(name, name, false, name === chosen)));
}

copying(document);
refreshModels();
