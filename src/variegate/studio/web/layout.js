/** A label map and its history. No view: whatever shows it reads `ids` anew. */

/** The pixels that one stroke changed. */
class Stroke {
  constructor(positions, before, after) {
    Object.assign(this, { positions, before, after });
  }

  undo(layout) {
    this.positions.forEach((position, i) => { layout.ids[position] = this.before[i]; });
  }

  redo(layout) {
    this.positions.forEach((position, i) => { layout.ids[position] = this.after[i]; });
  }
}

/** One label map in place of another of a different size. */
class Exchange {
  constructor(before, after) {
    Object.assign(this, { before, after });
  }

  undo(layout) {
    Object.assign(layout, this.before);
  }

  redo(layout) {
    Object.assign(layout, this.after);
  }
}

export class Layout {
  #done = [];
  #undone = [];
  #before = null; // of the stroke that is going on: position -> class

  constructor(height, width, ids = new Uint8Array(height * width)) {
    Object.assign(this, { height, width, ids });
  }

  get canUndo() {
    return this.#done.length > 0;
  }

  get canRedo() {
    return this.#undone.length > 0;
  }

  begin() {
    this.end();
    this.#before = new Map();
  }

  /** Gives pixels a class, as part of the stroke that is going on; of a new one if that has been ended meanwhile. */
  paint(positions, id) {
    this.#before ??= new Map();
    for (const position of positions) {
      if (this.ids[position] === id) continue;
      if (!this.#before.has(position)) this.#before.set(position, this.ids[position]);
      this.ids[position] = id;
    }
  }

  /** Takes back what the stroke that is going on has painted so far. */
  revert() {
    for (const [position, id] of this.#before ?? []) this.ids[position] = id;
    this.#before?.clear();
  }

  end() {
    const before = this.#before ?? new Map();
    this.#before = null;
    const positions = Uint32Array.from([...before.keys()].filter((position) => before.get(position) !== this.ids[position]));
    if (!positions.length) return;
    const old = Uint8Array.from(positions, (position) => before.get(position));
    const now = Uint8Array.from(positions, (position) => this.ids[position]);
    this.#record(new Stroke(positions, old, now));
  }

  /** Another label map, as one stroke. */
  replace({ height, width, ids }) {
    this.end();
    if (height === this.height && width === this.width) {
      this.begin();
      ids.forEach((id, position) => this.paint([position], id));
      this.end();
      return;
    }
    const exchange = new Exchange({ height: this.height, width: this.width, ids: this.ids }, { height, width, ids });
    exchange.redo(this);
    this.#record(exchange);
  }

  undo() {
    this.end();
    this.#step(this.#done, this.#undone, "undo");
  }

  redo() {
    this.end();
    this.#step(this.#undone, this.#done, "redo");
  }

  /** From here on nothing earlier can be undone. */
  forget() {
    this.end();
    this.#done = [];
    this.#undone = [];
  }

  #record(change) {
    this.#done.push(change);
    this.#undone = [];
  }

  #step(from, to, direction) {
    const change = from.pop();
    if (!change) return;
    change[direction](this);
    to.push(change);
  }
}
