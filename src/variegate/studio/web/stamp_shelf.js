/** The stamps that can be picked: objects of the examples, those of the chosen class first. */

import { Choice, make } from "./dom.js";
import { Layout } from "./layout.js";
import { cutOut, fullness } from "./stamps.js";
import { fromBase64 } from "./wire.js";

const EXAMPLES = 6; // that are searched
const OF_A_CLASS = 4;

export class StampShelf {
  #stamps = null; // promise of all

  /** `loadLayouts(count)` gives label maps as sent; `onPick(stamp)` hears what was picked. */
  constructor(classes, loadLayouts, onPick) {
    Object.assign(this, { classes, loadLayouts, onPick });
    this.choice = new Choice("Stamps", "stamps", (stamp) => this.#pick(stamp));
    this.element = this.choice.element;
  }

  async show(id) {
    this.#stamps ??= this.#cut();
    const stamps = await this.#stamps;
    const ordered = [...stamps.filter((stamp) => stamp.id === id), ...stamps.filter((stamp) => stamp.id !== id)];
    this.choice.fill(ordered.map((stamp) => this.#option(stamp)));
    if (ordered.length) this.#pick(ordered[0]);
    else this.element.replaceChildren("The examples show no separate objects to stamp.");
  }

  #pick(stamp) {
    this.choice.press(stamp);
    this.onPick(stamp);
  }

  #option(stamp) {
    const name = `${this.classes[stamp.id].name}, ${stamp.width} by ${stamp.height} pixels`;
    return { value: stamp, content: [this.#pictureOf(stamp)], title: name, "aria-label": name };
  }

  async #cut() {
    const sent = await this.loadLayouts(EXAMPLES);
    const layouts = sent.map(({ height, width, ids }) => new Layout(height, width, fromBase64(ids)));
    const all = layouts.flatMap(cutOut).sort((one, other) => fullness(other) - fullness(one));
    return this.classes.flatMap((_, id) => all.filter((stamp) => stamp.id === id).slice(0, OF_A_CLASS));
  }

  #pictureOf({ height, width, pixels }) {
    const canvas = make("canvas", { height, width });
    const context = canvas.getContext("2d");
    for (const { row, column, id } of pixels) {
      context.fillStyle = `rgb(${this.classes[id].colour})`;
      context.fillRect(column, row, 1, 1);
    }
    return canvas;
  }
}
