/** Images with what belongs under them. */

import { make } from "./dom.js";
import { dataUrl } from "./wire.js";

const SMALL = 128; // pixels; narrower images are enlarged as squares

/** An image that is still to come. */
export function emptyImage(alt) {
  const image = make("img", { alt, draggable: false });
  image.addEventListener("load", () => image.classList.toggle("small", image.naturalWidth < SMALL));
  return image;
}

export function setPng(image, png) {
  if (png) image.src = dataUrl(png);
  else image.removeAttribute("src");
}

export function imageOf(png, alt) {
  const image = emptyImage(alt);
  setPng(image, png);
  return image;
}

export function figureOf(png, alt, caption) {
  return make("figure", {}, imageOf(png, alt), make("figcaption", {}, caption));
}
