/** The grid of samples, the row of pinned ones, and how many of which codes are shown. */

import { Cards } from "./cards.js";
import { button, make, setPressed, slider } from "./dom.js";
import { emptyImage, setPng } from "./figures.js";
import { nameOf, sameCode } from "./wire.js";

const FEWEST = 4;
const MOST = 32;

export class Samples {
  constructor(studio, section, onOpen) {
    this.studio = studio;
    const like = { text: "More like this", onClick: (image) => studio.showAround(image) };
    this.pins = new Cards("cards pinned", onOpen, [like, { text: "Unpin", onClick: (image) => studio.unpin(image) }]);
    this.grid = new Cards("cards", onOpen, [{ text: "Pin", onClick: (image) => studio.pin(image) }]);
    this.pinned = make("div", { hidden: true }, make("h3", {}, "Pinned"), this.pins.element);
    this.around = this.#makeAround();
    section.append(this.#makeControls(), this.pinned, this.around, this.grid.element);
    studio.on("shown", () => this.grid.show(studio.shown));
    studio.on("pins", () => this.#showPins());
    studio.on("pins around", () => this.#showAround());
    studio.on("model settled", () => this.#showSettings());
  }

  #makeControls() {
    const { studio } = this;
    this.count = slider("Images", { min: FEWEST, max: MOST, value: studio.count }, (count) => studio.set({ count }));
    this.seed = make("input", { type: "number", id: "seed", min: 0, max: Number.MAX_SAFE_INTEGER, step: 1 });
    this.seed.addEventListener("change", () => {
      if (this.seed.reportValidity()) studio.set({ seed: this.seed.valueAsNumber || 0 });
      else this.seed.value = studio.seed;
    });
    this.order = button("Most diverse first", () => studio.set({ isDiverse: !studio.isDiverse }));
    return make(
      "div", { className: "bar controls" },
      make("div", { className: "field" }, make("label", { htmlFor: "seed" }, "Seed"), this.seed),
      button("New codes", () => studio.set({ seed: (studio.seed + 1) % Number.MAX_SAFE_INTEGER }), { className: "strong" }),
      this.count.element, this.order,
    );
  }

  #showSettings() {
    this.seed.value = this.studio.seed;
    this.count.set(this.studio.count);
    setPressed(this.order, this.studio.isDiverse);
  }

  #showPins() {
    this.pinned.hidden = this.studio.pins.length === 0;
    this.pins.show(this.studio.pins);
  }

  #makeAround() {
    const { studio } = this;
    const range = { min: 0, max: 1, step: 0.01, value: 0, show: (share) => `${Math.round(100 * share)} %` };
    this.difference = slider("Difference", range, (share) => studio.changeShare(share));
    this.middle = emptyImage("");
    this.middleName = make("p", {});
    const controls = make("div", {}, this.middleName, this.difference.element);
    const leave = button("Show all kinds", () => studio.showAround(null));
    return make("div", { className: "around", hidden: true }, this.middle, controls, leave);
  }

  #showAround() {
    const { around, pins } = this.studio;
    this.around.hidden = around === null;
    if (around === null) return;
    const pin = pins.find(({ code }) => sameCode(code, around.code));
    setPng(this.middle, (pin ?? around).png);
    this.middleName.textContent = `Images like ${nameOf(around.code)}`;
    this.difference.set(around.share);
  }
}
