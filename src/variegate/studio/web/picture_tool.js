/** Tool for pictures as conditions: edges, a low resolution, a sketch. */

import { fileButton, make } from "./dom.js";
import { fit } from "./pictures.js";
import { dataUrl } from "./wire.js";

export class PictureTool {
  #data = null; // base64 PNG

  constructor({ size }) {
    this.size = size;
  }

  mount(element, need, onChange) {
    const { height, width } = this.size;
    const shrink = need.shrink ?? 1;
    const wanted = { height: Math.round(height / shrink), width: Math.round(width / shrink) };
    this.image = make("img", { className: wanted.width < 128 ? "whole small" : "whole", alt: need.noun, hidden: true });
    const open = fileButton("Open a picture…", "image/*", async (file) => {
      this.set({ data: await fit(file, wanted) });
      onChange(false);
    });
    const reduced = `It is reduced to ${wanted.width}×${wanted.height} pixels.`;
    const note = need.shrink ? reduced : "Its middle is cut to the model’s shape.";
    element.append(this.image, make("div", { className: "together" }, open), make("p", { className: "note" }, note));
  }

  value() {
    return this.#data && { kind: "image", data: this.#data };
  }

  set({ data }) {
    this.#data = data;
    this.image.src = dataUrl(data);
    this.image.hidden = false;
  }
}
