/** What is on the page: a model, its condition, the codes in view and those pinned. Sections listen for its events. */

import { get, post } from "./api.js";
import * as autosave from "./autosave.js";
import { Conditions, fits } from "./conditions.js";
import { Drawing } from "./drawing.js";
import { Examples } from "./examples.js";
import { fileToBase64, sameCode } from "./wire.js";

const MOST_PINS = 32;
const NEAR = 0.35; // share of the way to a new code at which "more like this" begins
const NO_EXAMPLE = -1;

/**
 * Events: `model` (another one), `settled` (condition or codes have changed, and rest), `drawn` (their images are
 * there), `shown` (images of the grid, of any size), `pins`, `around`, `said` (detail: text, isError).
 */
export class Studio extends EventTarget {
  models = [];
  model = null;
  example = NO_EXAMPLE;
  seed = 0;
  count = 8;
  isDiverse = false;
  around = null; // a pinned image whose neighbours are shown: code, png, share
  pins = []; // code and png of each
  shown = []; // code and png of each
  #drawing = new Drawing(this);
  #note = null; // on the file that was imported last, until its images are there

  /** `tools` is where the tools for the condition go. */
  constructor(tools) {
    super();
    this.tools = tools;
    this.on("settled", () => this.#save());
    this.on("drawn", () => this.#sayNote());
    addEventListener("pagehide", () => this.#save());
  }

  on(names, listener) {
    for (const name of names.split(" ")) this.addEventListener(name, listener);
  }

  tell(...names) {
    for (const name of names) this.dispatchEvent(new Event(name));
  }

  say(text, isError = false) {
    this.dispatchEvent(new CustomEvent("said", { detail: { text, isError } }));
  }

  /** Does something that may fail, and says so if it does. */
  async attempt(action) {
    try {
      await action();
    } catch (error) {
      this.say(error.message, true);
    }
  }

  async start() {
    ({ models: this.models } = await get("v1/models"));
    if (this.models.length) await this.use(this.models[0]);
    else throw new Error("this server has no model");
  }

  async use(model) {
    const kept = this.conditions?.value();
    Object.assign(this, { model, example: NO_EXAMPLE, around: null, shown: [], examples: new Examples(model) });
    this.tools.replaceChildren();
    this.conditions = new Conditions(this.tools, model, {
      examples: this.examples,
      importFile: (file, part) => this.attempt(() => this.importFile(file, part)),
      onChange: (isMoving) => (isMoving ? this.#drawing.moving() : this.#drawing.settle()),
    });
    const saved = autosave.load(model);
    this.seed = saved?.seed ?? 0;
    this.pins = (saved?.pins ?? []).map((code) => ({ code, png: null }));
    this.tell("model", "pins", "around");
    await this.#restoreCondition(kept && fits(kept, model) ? kept : saved?.condition);
  }

  /** Changes seed, count or isDiverse. */
  set(settings) {
    Object.assign(this, settings);
    this.#drawing.settle();
  }

  async showExample(index) {
    this.example = index;
    await this.conditions.set(await this.examples.get(index));
    this.#drawing.settle();
  }

  /** The example after or before the one that was shown last. */
  stepExample(by) {
    const from = by < 0 ? Math.max(this.example, 0) : this.example;
    return this.showExample((from + by + this.examples.count) % this.examples.count);
  }

  /** Takes a file as a part of the condition, if it is one. */
  async importFile(file, part = 0) {
    const path = `v1/models/${encodeURIComponent(this.model.id)}/read`;
    const { condition, note } = await post(path, { data: await fileToBase64(file), part });
    this.#note = note;
    await this.conditions.setPart(part, condition);
    this.example = NO_EXAMPLE;
    this.#drawing.settle();
  }

  /** A request about the condition as it is; null while that is incomplete. */
  request(fields) {
    const condition = this.conditions.value();
    return condition && { model: this.model.id, condition, ...fields };
  }

  /** Goes back to how an image was made (a recipe as the API sends it), and pins its code. */
  async restore({ model: id, weights, condition, code }) {
    const model = this.models.find((one) => one.weights === weights);
    if (!model) throw new Error(`this image was made by the model ${id}, which this server does not have`);
    if (model !== this.model) await this.use(model);
    await this.conditions.set(condition);
    this.example = NO_EXAMPLE;
    if (this.isPinned(code)) this.#drawing.settle();
    else this.pin({ code, png: null });
  }

  isPinned(code) {
    return this.pins.some((pin) => sameCode(pin.code, code));
  }

  pin({ code, png }) {
    if (this.pins.length === MOST_PINS) {
      this.say(`at most ${MOST_PINS} images can be pinned`, true);
      return;
    }
    if (this.isPinned(code)) return;
    this.pins = [...this.pins, { code, png }];
    this.shown = this.shown.filter((image) => !sameCode(image.code, code));
    this.tell("pins", "shown");
    this.#drawing.settle();
  }

  unpin({ code }) {
    if (this.around && sameCode(this.around.code, code)) this.around = null;
    this.pins = this.pins.filter((pin) => !sameCode(pin.code, code));
    this.tell("pins", "around");
    this.#drawing.settle();
  }

  /** Shows images like a pinned one; with null, of all codes again. */
  showAround(image) {
    this.around = image && { ...image, share: NEAR };
    this.tell("around");
    this.#drawing.settle();
  }

  changeShare(share) {
    this.around = { ...this.around, share };
    this.shown = this.shown.map((image) => ("between" in image.code ? { ...image, code: { ...image.code, share } } : image));
    this.#drawing.moving();
  }

  /** The codes of the grid: new ones, or on the way from a pinned one to new ones; none that is pinned. */
  codes() {
    const codes = [];
    const all = this.model.different ?? Infinity;
    for (let index = 0; codes.length < this.count && index < all; index++) {
      const fresh = { seed: this.seed, index };
      const code = this.around ? { between: [this.around.code, fresh], share: this.around.share } : fresh;
      const isSame = this.around && sameCode(this.around.code, fresh);
      if (!isSame && !this.isPinned(code)) codes.push(code);
    }
    return codes;
  }

  /** What was saved, or else the first example. */
  async #restoreCondition(saved) {
    try {
      if (saved && fits(saved, this.model)) {
        await this.conditions.set(saved);
        this.#drawing.settle();
        return;
      }
    } catch {
      // It was saved for a model of the same name whose classes or sizes were others.
    }
    if (this.examples.count) await this.showExample(0);
    else this.#drawing.settle();
  }

  #sayNote() {
    if (this.#note) this.say(this.#note);
    this.#note = null;
  }

  #save() {
    const condition = this.conditions?.value();
    if (condition) autosave.save(this.model, { condition, seed: this.seed, pins: this.pins.map(({ code }) => code) });
  }
}
