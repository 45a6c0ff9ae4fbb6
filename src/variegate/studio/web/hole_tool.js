/** Tool for pictures with a hole: the hole is painted over the picture. */

import { fileButton, make } from "./dom.js";
import { Editor } from "./editor.js";
import { Layout } from "./layout.js";
import { fit, readMask, writeMask } from "./pictures.js";
import { dataUrl } from "./wire.js";

const CLASSES = [
  { name: "keep", colour: [255, 255, 255, 0] },
  { name: "hole", colour: [168, 69, 44, 215] },
];

export class HoleTool {
  #image = null; // base64 PNG

  constructor({ size }) {
    Object.assign(this, { size, layout: new Layout(size.height, size.width) });
  }

  mount(element, need, onChange) {
    this.editor = new Editor(this.layout, {
      classes: CLASSES,
      modes: ["brush", "fill", "rectangle"],
      label: `${need.noun}: arrow keys move, with Shift by eight; space paints`,
      onStroke: onChange,
    });
    const open = fileButton("Open a picture…", "image/*", async (file) => {
      this.#show(await fit(file, this.layout));
      onChange(false);
    });
    element.append(this.editor.element, make("div", { className: "together" }, open));
  }

  value() {
    return this.#image && { kind: "hole", image: this.#image, mask: writeMask(this.layout) };
  }

  async set({ image, mask }) {
    const read = await readMask(mask);
    this.#show(image);
    this.layout.replace(read);
    this.layout.forget(); // of another picture
    this.editor.show();
  }

  #show(image) {
    this.#image = image;
    this.editor.view.setBackdrop(dataUrl(image));
  }
}
