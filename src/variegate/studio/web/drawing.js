/** Asks for the images of the grid and of the pinned codes, and puts them where they belong. */

import { Newest } from "./newest.js";
import { Sampler } from "./sampler.js";

const FEW = 4; // images while something moves, at least
const FAST = 0.15; // seconds: an answer that leaves time for more images
const SLOW = 0.4;
const HALVED = 64; // pixels; images smaller than this are asked for in full at once
const INVALID = 422;

export class Drawing extends Sampler {
  #newest = new Newest();
  #few = FEW;
  #size = [0, 0]; // height and width of the newest full images
  #canHalve = true;

  constructor(studio) {
    super({
      quick: () => this.#quick(),
      full: () => this.#full(),
      fail: (error) => studio.say(error.message, true),
    });
    this.studio = studio;
    studio.on("model", () => { this.#canHalve = true; });
  }

  async #quick() {
    const { pins, shown, count } = this.studio;
    const images = [...pins.slice(0, this.#few), ...shown.slice(0, this.#few)];
    const isHalved = this.#canHalve && Math.min(...this.#size) >= HALVED;
    const request = this.#request(images.map(({ code }) => code), {
      size: isHalved ? this.#size.map((side) => Math.round(side / 2)) : null,
    });
    if (!request) return;
    const started = performance.now();
    try {
      const answer = await this.#newest.post("v1/sample", request);
      if (!answer) return;
      for (const { png, position } of answer.images) images[position].png = png;
    } catch (error) {
      if (error.status === INVALID) this.#canHalve = false; // not every network draws every size
      throw error;
    }
    const seconds = (performance.now() - started) / 1000;
    if (seconds < FAST) this.#few = Math.min(count, 2 * this.#few);
    if (seconds > SLOW) this.#few = FEW;
    this.studio.tell("shown", "pins");
  }

  async #full() {
    const { studio } = this;
    const { pins } = studio;
    const codes = [...pins.map(({ code }) => code), ...studio.codes()];
    const request = this.#request(codes, { order: studio.isDiverse ? "diverse" : "given" });
    if (!request) return;
    studio.tell("settled");
    const answer = await this.#newest.post("v1/sample", request);
    if (!answer) return;
    const { images, seconds, height, width } = answer;
    this.#size = [height, width];
    for (const { png, position } of images) {
      if (position < pins.length) pins[position].png = png;
    }
    studio.shown = images.filter(({ position }) => position >= pins.length);
    studio.say(`${images.length} images of ${width}×${height} pixels in ${seconds.toFixed(2)} s`);
    studio.tell("shown", "pins", "drawn");
  }

  #request(codes, fields) {
    if (!codes.length) return null;
    return this.studio.request({ codes, ...fields });
  }
}
