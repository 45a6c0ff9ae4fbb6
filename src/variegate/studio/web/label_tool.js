/** Tool for label maps: paint them, import them, stamp objects onto them. */

import { button, fileButton, make } from "./dom.js";
import { Editor } from "./editor.js";
import { Layout } from "./layout.js";
import { StampShelf } from "./stamp_shelf.js";
import { fromBase64, labelMap } from "./wire.js";

export class LabelTool {
  #isNew = true;

  constructor({ size, loadExamples, importFile }) {
    Object.assign(this, { loadExamples, importFile, layout: new Layout(size.height, size.width) });
  }

  mount(element, need, onChange) {
    this.classes = need.classes;
    this.editor = new Editor(this.layout, {
      classes: need.classes,
      modes: ["brush", "fill", "rectangle", "stamp"],
      label: `${need.noun}: arrow keys move, with Shift by eight; space paints`,
      onStroke: onChange,
    });
    this.shelf = new StampShelf(need.classes, this.loadExamples, (stamp) => { this.editor.hand.stamp = stamp; });
    this.clearButton = button("", () => this.#clear());
    this.editor.onMode = () => this.#followMode();
    this.#followMode();
    const importButton = fileButton("Import…", "image/*", this.importFile);
    element.append(this.editor.element, make("div", { className: "together" }, importButton, this.clearButton));
  }

  value() {
    return labelMap(this.layout);
  }

  set({ height, width, ids }) {
    const given = fromBase64(ids);
    const isWhole = given.length === height * width && given.every((id) => id < this.classes.length);
    if (!isWhole) throw new Error("the label map does not have the size that it says, or other classes");
    this.layout.replace({ height, width, ids: given });
    if (this.#isNew) this.layout.forget(); // the blank layout from before is nothing to go back to
    this.#isNew = false;
    this.editor.show();
  }

  #clear() {
    const { height, width } = this.layout;
    this.layout.replace({ height, width, ids: new Uint8Array(height * width).fill(this.editor.hand.id) });
    this.editor.changed(false);
  }

  #followMode() {
    const { hand, drawer } = this.editor;
    this.clearButton.textContent = `Clear to ${this.classes[hand.id].name}`;
    drawer.replaceChildren(...(hand.mode === "stamp" ? [this.shelf.element] : []));
    if (hand.mode === "stamp") this.shelf.show(hand.id);
  }
}
