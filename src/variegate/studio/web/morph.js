/** From one pinned image to another, frame by frame. */

import { button, make, select, slider } from "./dom.js";
import { emptyImage, setPng } from "./figures.js";
import { downloadJob } from "./files.js";
import { Lazy } from "./lazy.js";
import { Newest } from "./newest.js";
import { nameOf, sameCode, shortNameOf } from "./wire.js";

const FRAMES = 24;
const RATE = 12; // frames a second
const CALM_RATE = 1;

export class Morph {
  #newest = new Newest();
  #frames = [];
  #timer = 0;
  #step = 1;

  constructor(studio, section) {
    this.studio = studio;
    this.lazy = new Lazy(section, () => studio.attempt(() => this.#load()));
    this.hint = make("p", { className: "note" }, "Pin two images to see what lies between them.");
    this.from = select("From", [], () => this.lazy.stale());
    this.to = select("To", [], () => this.lazy.stale());
    this.image = emptyImage("");
    const range = { min: 1, max: FRAMES, value: 1, show: (frame) => `${frame} of ${FRAMES}` };
    this.scrubber = slider("Frame", range, () => this.#showFrame());
    this.play = button("Play", () => this.#toggle());
    const film = (kind, text) => button(text, () => studio.attempt(() => this.#save(kind)));
    this.stage = make(
      "div", { className: "stage", hidden: true }, this.image,
      make(
        "div", { className: "beside" }, this.from.element, this.to.element, this.scrubber.element,
        make("div", { className: "together" }, this.play, film("gif", "Save GIF"), film("mp4", "Save MP4")),
      ),
    );
    section.append(this.hint, this.stage);
    studio.on("pins", () => this.#fill());
    studio.on("settled", () => this.lazy.stale());
  }

  get #codes() {
    return this.studio.pins.map(({ code }) => code);
  }

  /** Offers the pinned codes; the first two at first, or in place of one that is pinned no more. */
  #fill() {
    const codes = this.#codes;
    if (codes.length === this.filled?.length && codes.every((code, i) => sameCode(code, this.filled[i]))) return;
    this.filled = codes;
    const options = codes.map((code) => [shortNameOf(code), nameOf(code)]);
    for (const [place, { input, fill }] of [this.from, this.to].entries()) {
      const before = input.value;
      fill(options);
      input.value = options.some(([value]) => value === before) ? before : options[place]?.[0];
    }
    if (this.from.input.value === this.to.input.value && options.length > 1) {
      this.to.input.value = options.find(([value]) => value !== this.from.input.value)[0];
    }
    this.stage.hidden = codes.length < 2;
    this.hint.hidden = codes.length >= 2;
    this.lazy.stale();
  }

  /** Null while fewer than two images are pinned, or the condition is incomplete. */
  #request() {
    const find = ({ input }) => this.#codes.find((code) => shortNameOf(code) === input.value);
    const [start, end] = [this.from, this.to].map(find);
    return start && end && this.studio.request({ start, end, frames: FRAMES });
  }

  async #load() {
    const request = this.#request();
    if (!request) return;
    const answer = await this.#newest.post("v1/interpolate", request);
    if (!answer) return;
    this.#frames = answer.images;
    this.#showFrame();
  }

  #showFrame() {
    const number = this.scrubber.input.valueAsNumber;
    const frame = this.#frames[number - 1];
    if (!frame) return;
    setPng(this.image, frame.png);
    const [start, end] = [this.from, this.to].map(({ input }) => input.selectedOptions[0].text);
    this.image.alt = `Frame ${number} of ${FRAMES}, from ${start} to ${end}`;
  }

  #toggle() {
    const isPlaying = this.#timer !== 0;
    clearInterval(this.#timer);
    const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.#timer = isPlaying ? 0 : setInterval(() => this.#advance(), 1000 / (isCalm ? CALM_RATE : RATE));
    this.play.textContent = isPlaying ? "Play" : "Pause";
  }

  /** There and back again. */
  #advance() {
    const number = this.scrubber.input.valueAsNumber;
    if (number + this.#step < 1 || number + this.#step > FRAMES) this.#step = -this.#step;
    this.scrubber.set(number + this.#step);
    this.#showFrame();
  }

  async #save(kind) {
    this.studio.say(`Making a ${kind.toUpperCase()}…`);
    await downloadJob({ kind, interpolate: this.#request() }, `${this.studio.model.id}-morph.${kind}`);
    this.studio.say(`${kind.toUpperCase()} saved`);
  }
}
