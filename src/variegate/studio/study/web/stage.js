/** Where the images of a trial appear: side by side, of one size, with a mask of noise once their time is over. */

import { make } from "./dom.js";
import { expose, inSight, measureFrames, nextFrame } from "./exposure.js";

const LARGEST = 512;
const BESIDE = 300; // CSS pixels of the page's height that are not images
const LOWEST = 200; // CSS pixels for images on a page that is too low for all
const SMALL = 128; // pixels: smaller images are enlarged with sharp pixels of one size
const NARROW = 640; // CSS pixels, as in study.css
const MASK = 500; // ms

/** Images that are loaded and decoded. */
export async function load(names, folder = "images/", ending = ".png") {
  const images = names.map((name) =>
    make("img", { src: `${folder}${name}${ending}`, alt: "image to judge", draggable: false }),
  );
  await Promise.all(images.map((image) => image.decode()));
  return images;
}

function noise(width, height) {
  const canvas = make("canvas", { width, height, ariaHidden: "true" });
  const context = canvas.getContext("2d");
  for (const cell of [Math.max(2, width >> 3), Math.max(1, width >> 5)]) {
    for (let y = 0; y < height; y += cell) {
      for (let x = 0; x < width; x += cell) {
        const [red, green, blue] = crypto.getRandomValues(new Uint8Array(3));
        context.fillStyle = `rgb(${red} ${green} ${blue} / 70%)`;
        context.fillRect(x, y, cell, cell);
      }
    }
  }
  return canvas;
}

export class Stage {
  /**
   * @param {number} count how many images there are, `across` of them beside each other
   * @param {number} largest CSS pixels to which the longer side of an image may be enlarged
   */
  constructor({ width, height }, { count = 1, across = count, largest = LARGEST } = {}) {
    Object.assign(this, { width, height, across, largest, down: Math.ceil(count / across) });
    this.element = make("div", { className: "stage" });
    this.fit = this.fit.bind(this);
    addEventListener("resize", this.fit);
    this.fit();
  }

  /** The largest size at which everything is seen without scrolling. */
  fit() {
    const page = document.documentElement.clientWidth;
    const gap = page < NARROW ? 8 : 16;
    const wide = (page - 2 * gap - gap * (this.across - 1)) / this.across;
    const high = (Math.max(LOWEST, innerHeight - BESIDE) - gap * (this.down - 1)) / this.down;
    const longer = Math.max(this.width, this.height);
    let scale = Math.min(wide / this.width, high / this.height, Math.max(1, this.largest / longer));
    const enlarged = longer <= SMALL && scale >= 1;
    if (enlarged) scale = Math.floor(scale * devicePixelRatio) / devicePixelRatio;
    this.element.classList.toggle("enlarged", enlarged);
    this.element.style.setProperty("--across", this.across);
    this.element.style.setProperty("--width", `${Math.floor(this.width * scale)}px`);
    this.element.style.setProperty("--height", `${Math.floor(this.height * scale)}px`);
  }

  close() {
    removeEventListener("resize", this.fit);
  }

  /** Fills the places, in order, with images or what is made of them. */
  place(elements) {
    this.element.replaceChildren(...elements);
  }

  /** Shows images until something else is placed. */
  async present(images) {
    await inSight();
    this.place(images);
    return { shown_ms: null, frames: null, frame_ms: null, hidden: document.hidden, end: await nextFrame() };
  }

  /** Shows images for a time, after a cross to look at and before a mask. */
  async flash(images, milliseconds) {
    const each = (makeOne) => images.map(makeOne);
    this.place(each(() => make("span", { className: "cross", ariaHidden: "true" }, "+")));
    await inSight();
    const frame_ms = await measureFrames();
    const masks = each(() => noise(this.width, this.height));
    const layers = images.map((image, at) => make("span", { className: "layers" }, image, masks[at]));
    masks.forEach((mask) => (mask.hidden = true));
    const times = await expose(
      () => this.place(layers),
      () => {
        images.forEach((image) => (image.hidden = true));
        masks.forEach((mask) => (mask.hidden = false));
      },
      milliseconds,
    );
    setTimeout(() => masks.forEach((mask) => mask.classList.add("gone")), MASK);
    return { ...times, frame_ms };
  }
}
