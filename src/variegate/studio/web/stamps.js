/** Objects cut out of label maps, to be put down elsewhere. */

import { region } from "./shapes.js";

const NARROWEST = 4; // pixels
const SMALLEST = 0.004; // shares of the label map
const LARGEST = 0.3;

/**
 * The objects of a label map: regions of one class, not cut off by its edge, no slivers and not huge, with all that they
 * enclose (the windows of a house).
 */
export function cutOut(layout) {
  const { height, width, ids } = layout;
  const seen = new Uint8Array(ids.length);
  const stamps = [];
  for (let start = 0; start < ids.length; start++) {
    if (seen[start]) continue;
    const found = region(layout, start);
    for (const position of found) seen[position] = 1;
    const frame = frameOf(found, width);
    const isCut = frame.left === 0 || frame.top === 0 || frame.right === width - 1 || frame.bottom === height - 1;
    const isNarrow = Math.min(frame.right - frame.left, frame.bottom - frame.top) + 1 < NARROWEST;
    const share = found.length / ids.length;
    if (isCut || isNarrow || share < SMALLEST || share > LARGEST) continue;
    stamps.push(stampOf(layout, ids[start], found, frame));
  }
  return stamps;
}

/** How much of its frame a stamp fills: objects behind others fill less. */
export function fullness({ height, width, pixels }) {
  return pixels.length / (height * width);
}

function frameOf(positions, width) {
  const frame = { left: Infinity, top: Infinity, right: -1, bottom: -1 };
  for (const position of positions) {
    const column = position % width;
    const row = (position - column) / width;
    frame.left = Math.min(frame.left, column);
    frame.right = Math.max(frame.right, column);
    frame.top = Math.min(frame.top, row);
    frame.bottom = Math.max(frame.bottom, row);
  }
  return frame;
}

function stampOf(layout, id, positions, { left, top, right, bottom }) {
  // One pixel of margin, so that everything outside the object hangs together.
  const height = bottom - top + 3;
  const width = right - left + 3;
  const mask = new Uint8Array(height * width);
  for (const position of positions) {
    const column = position % layout.width;
    const row = (position - column) / layout.width;
    mask[(row - top + 1) * width + column - left + 1] = 1;
  }
  const outside = new Set(region({ height, width, ids: mask }, 0));
  const pixels = [];
  for (let row = 0; row < height - 2; row++) {
    for (let column = 0; column < width - 2; column++) {
      if (outside.has((row + 1) * width + column + 1)) continue;
      pixels.push({ row, column, id: layout.ids[(row + top) * layout.width + column + left] });
    }
  }
  return { id, height: height - 2, width: width - 2, pixels };
}
