/** What is held over a label map: a brush, a bucket, a rectangle or a stamp. Pointers and keys both move it. */

import { anchor, line, rectangle, region, stamped } from "./shapes.js";

export class Hand {
  mode = "brush"; // or fill, rectangle, stamp
  id = 0;
  size = 3;
  stamp = null;
  #start = null;
  #last = null;

  constructor(layout) {
    this.layout = layout;
  }

  down(place) {
    this.layout.begin();
    this.#start = this.#last = place;
    if (this.mode === "fill") this.#fill(place);
    else this.move(place);
  }

  move(place) {
    if (!this.#start) return;
    const { layout, id } = this;
    if (this.mode === "brush") layout.paint(line(layout, this.#last, place, this.size), id);
    if (this.mode === "rectangle") {
      layout.revert();
      layout.paint(rectangle(layout, this.#start, place), id);
    }
    if (this.mode === "stamp" && this.stamp) {
      layout.revert();
      for (const [stampId, positions] of stamped(layout, this.stamp, place)) layout.paint(positions, stampId);
    }
    this.#last = place;
  }

  up() {
    this.#start = null;
    this.layout.end();
  }

  /** Puts the hand down elsewhere, without a trace of what it was doing. */
  abandon() {
    this.layout.revert();
    this.up();
  }

  /** The pixels that it would touch at a place. */
  reach(place) {
    if (this.mode === "stamp" && this.stamp) {
      const { height, width } = this.stamp;
      return { left: Math.round(place.x - width / 2), top: Math.round(place.y - height / 2), height, width };
    }
    const size = this.mode === "brush" ? this.size : 1;
    const { column, row } = anchor(place, size);
    const before = Math.floor(size / 2);
    return { left: column - before, top: row - before, height: size, width: size };
  }

  #fill({ x, y }) {
    const [column, row] = [Math.floor(x), Math.floor(y)];
    if (column < 0 || row < 0 || column >= this.layout.width || row >= this.layout.height) return;
    this.layout.paint(region(this.layout, row * this.layout.width + column), this.id);
  }
}
