/** Shows a layout on a canvas of one pixel per pixel, which the style sheet enlarges; marks lie over it in shares. */

import { make } from "./dom.js";

export class CanvasView {
  #context;
  #isWaiting = false;

  /** `colours`: [r, g, b] or [r, g, b, a] of every class. */
  constructor(layout, colours, label) {
    this.layout = layout;
    const packed = new DataView(new ArrayBuffer(4 * colours.length));
    colours.forEach(([r, g, b, a = 255], i) => packed.setUint32(4 * i, ((r << 24) | (g << 16) | (b << 8) | a) >>> 0));
    this.colours = new Uint32Array(packed.buffer);
    this.canvas = make("canvas", { tabIndex: 0, role: "application", "aria-label": label });
    this.brush = make("div", { className: "mark", hidden: true });
    this.cursor = make("div", { className: "mark cursor", hidden: true });
    this.element = make("div", { className: "canvas" }, this.canvas, this.brush, this.cursor);
    this.#context = this.canvas.getContext("2d");
    this.#draw();
  }

  /** Draws with the next frame, however often it is called before. */
  draw() {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    requestAnimationFrame(() => {
      this.#isWaiting = false;
      this.#draw();
    });
  }

  /** Where a pointer is, in pixels of the layout. */
  placeOf({ clientX, clientY }) {
    const frame = this.canvas.getBoundingClientRect();
    return {
      x: ((clientX - frame.left) / frame.width) * this.layout.width,
      y: ((clientY - frame.top) / frame.height) * this.layout.height,
    };
  }

  /** Puts a mark around some pixels. */
  mark(mark, { left, top, width, height }) {
    const { layout } = this;
    mark.style.left = `${(100 * left) / layout.width}%`;
    mark.style.top = `${(100 * top) / layout.height}%`;
    mark.style.width = `${(100 * width) / layout.width}%`;
    mark.style.height = `${(100 * height) / layout.height}%`;
    mark.hidden = false;
  }

  /** A picture that shows through transparent classes. */
  setBackdrop(url) {
    this.canvas.style.backgroundImage = `url("${url}")`;
  }

  #draw() {
    const { height, width, ids } = this.layout;
    if (this.canvas.width !== width || this.canvas.height !== height) {
      Object.assign(this.canvas, { width, height });
      this.element.style.setProperty("--aspect", width / height);
    }
    const image = this.#context.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    ids.forEach((id, position) => { pixels[position] = this.colours[id]; });
    this.#context.putImageData(image, 0, 0);
  }
}
