/** Two models on one condition, with the same codes: a line to drag between their images. */

import { make, select, slider } from "./dom.js";
import { imageOf } from "./figures.js";
import { Lazy } from "./lazy.js";
import { Newest } from "./newest.js";
import { nameOf } from "./wire.js";

const MOST = 8; // images

export class Compare {
  #newest = new Newest();
  #others = [];

  constructor(studio, section) {
    Object.assign(this, { studio, section });
    this.lazy = new Lazy(section, () => studio.attempt(() => this.#load()));
    this.other = select("With", [], () => this.lazy.stale());
    this.below = make("div", { className: "sheet" });
    this.above = make("div", { className: "sheet" });
    this.line = make("div", { className: "line" });
    this.split = slider("Line", { min: 0, max: 100, value: 50, show: (share) => `${share} %` }, () => this.#cut());
    this.note = make("p", { className: "note" });
    section.append(
      make("div", { className: "bar" }, this.other.element, this.split.element),
      make("div", { className: "split" }, this.below, this.above, this.line), this.note,
    );
    this.#cut();
    studio.on("model", () => this.#fill());
    studio.on("drawn", () => this.lazy.stale());
  }

  #fill() {
    const { models, model } = this.studio;
    const needs = JSON.stringify(model.parts);
    this.#others = models.filter((other) => other !== model && JSON.stringify(other.parts) === needs);
    this.other.fill(this.#others.map(({ id }) => [id, id]));
    this.section.hidden = this.#others.length === 0;
  }

  async #load() {
    const own = this.studio.shown.slice(0, MOST);
    const model = this.other.input.value;
    const codes = own.map(({ code }) => code);
    const request = this.studio.request({ codes, model });
    const answer = request && own.length && await this.#newest.post("v1/sample", request);
    if (!answer) return;
    fill(this.above, own, this.studio.model.id);
    fill(this.below, answer.images, model);
    this.note.textContent = `Left of the line ${this.studio.model.id}, right of it ${model}; same layout, same seeds.`;
  }

  #cut() {
    const share = this.split.input.valueAsNumber;
    this.above.style.clipPath = `inset(0 ${100 - share}% 0 0)`;
    this.line.style.left = `${share}%`;
  }
}

function fill(sheet, images, model) {
  sheet.replaceChildren(...images.map(({ png, code }) => imageOf(png, `${nameOf(code)} by ${model}`)));
}
