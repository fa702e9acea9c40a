// One picture: what it is, what the model said of it, and the command that does the same.
import { classify } from "./api.js";
import { command } from "./command.js";
import { drawBars, drawTimings, bytes } from "./draw.js";

const template = document.getElementById("card");

export class Card {
  #options;
  #part;
  #preview;
  #flight = null;

  state = "waiting";
  keyNeeded = false;

  constructor(options) {
    this.#options = options;
    this.element = template.content.firstElementChild.cloneNode(true);
    this.#part = (selector) => this.element.querySelector(selector);
    this.removeButton = this.#part(".remove");

    const { file } = options;
    const name = file.name || "picture";
    this.#part("h3").textContent = name;
    this.removeButton.setAttribute("aria-label", `Remove ${name}`);
    this.removeButton.addEventListener("click", () => this.remove());
    this.#part(".retry").addEventListener("click", () => options.run(this));
    this.#show(file);
  }

  #show(file) {
    const image = this.#part("img");
    this.#preview = URL.createObjectURL(file);
    image.addEventListener("error", () => {
      image.hidden = true;
      this.#part(".no-preview").hidden = false;
    });
    image.src = this.#preview;
  }

  // wait is called when the picture joins the queue, again after each change of model.
  wait() {
    this.#flight?.abort();
    this.#become("waiting");
    const { file, address, settings } = this.#options;
    this.#part(".meta").textContent = [bytes(file.size), settings().model].filter(Boolean).join(" · ");
    this.#part(".command code").textContent = command({ name: file.name, address, ...settings() });
  }

  async classify() {
    const { file, maxBytes, settings } = this.#options;
    if (maxBytes && file.size > maxBytes) {
      this.#refuse({ sentence: `The file has ${bytes(file.size)}; this server takes at most ${bytes(maxBytes)}.`, page: "/errors/picture-too-large" });
      return;
    }
    const flight = new AbortController();
    this.#flight = flight;
    try {
      const { answer, refusal } = await classify(file, settings(), flight.signal);
      if (flight.signal.aborted) return;
      if (refusal) this.#refuse(refusal);
      else this.#tell(answer);
    } catch (cause) {
      if (!flight.signal.aborted) throw cause;
    }
  }

  #tell({ result, model, timings }) {
    const size = result.width ? `${result.width} × ${result.height}` : "";
    this.#part(".meta").textContent =
      [size, result.format?.toUpperCase(), bytes(this.#options.file.size), model?.name].filter(Boolean).join(" · ");
    drawBars(this.#part(".bars"), result.predictions ?? []);
    drawTimings(this.#part(".timings"), timings ?? {});
    this.#become("done");
  }

  #refuse({ sentence, page, again, key }) {
    this.#part(".error").textContent = sentence;
    const link = this.#part(".next a");
    link.hidden = !page;
    if (page) link.href = page;
    this.#part(".retry").hidden = !again;
    this.keyNeeded = Boolean(key);
    this.#become("refused");
  }

  #become(state) {
    this.state = state;
    this.element.dataset.state = state;
    this.#part(".waiting").hidden = state !== "waiting";
    this.#part(".refusal").hidden = state !== "refused";
    this.#part(".bars").hidden = state !== "done";
    this.#part(".timings").hidden = state !== "done";
    if (state !== "refused") this.keyNeeded = false;
    this.#options.changed();
  }

  remove() {
    this.#flight?.abort();
    URL.revokeObjectURL(this.#preview);
    this.element.remove();
    this.#options.removed(this);
  }
}
