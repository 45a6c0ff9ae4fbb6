/** Pictures as conditions: cut and scaled to what a model reads. */

import { make } from "./dom.js";
import { fromBase64 } from "./wire.js";

/** The middle of a picture file at a given size, as base64 PNG. */
export async function fit(file, { height, width }) {
  const picture = await createImageBitmap(file);
  const scale = Math.max(width / picture.width, height / picture.height);
  const across = picture.width * scale;
  const down = picture.height * scale;
  const canvas = make("canvas", { height, width });
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, (width - across) / 2, (height - down) / 2, across, down);
  return pngOf(canvas);
}

/** A mask, white where something is to be filled, as a layout of two classes. */
export async function readMask(png) {
  const { height, width, data } = await pixelsOf(png);
  const ids = Uint8Array.from({ length: height * width }, (_, i) => (data[4 * i] > 127 ? 1 : 0));
  return { height, width, ids };
}

export function writeMask({ height, width, ids }) {
  const canvas = make("canvas", { height, width });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  ids.forEach((id, i) => image.data.set([255 * id, 255 * id, 255 * id, 255], 4 * i));
  context.putImageData(image, 0, 0);
  return pngOf(canvas);
}

async function pixelsOf(png) {
  const picture = await decode(png);
  const { height, width } = picture;
  const context = make("canvas", { height, width }).getContext("2d");
  context.drawImage(picture, 0, 0);
  return { height, width, data: context.getImageData(0, 0, width, height).data };
}

function decode(png) {
  return createImageBitmap(new Blob([fromBase64(png)]));
}

function pngOf(canvas) {
  return canvas.toDataURL("image/png").split(",")[1];
}
