/** Painting by keyboard: a cursor on the focused canvas, and what is said about it. */

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const LEAP = 8; // pixels, with Shift

export class Cursor {
  #row = 0;
  #column = 0;
  #hasCorner = false; // of a rectangle whose other corner is still to come

  constructor(view, hand, { names, onStroke, say }) {
    Object.assign(this, { view, hand, names, onStroke, say });
    view.canvas.addEventListener("keydown", (event) => this.#press(event));
    view.canvas.addEventListener("focus", () => this.show());
    view.canvas.addEventListener("blur", () => this.#leave());
    view.canvas.addEventListener("pointerdown", (event) => this.#jump(view.placeOf(event)));
  }

  /** Shows the cursor while keys are in use; a pointer shows by itself where it is. */
  show() {
    this.view.mark(this.view.cursor, this.hand.reach(this.#place));
    this.view.cursor.hidden = !this.view.canvas.matches(":focus-visible");
  }

  get #place() {
    return { x: this.#column + 0.5, y: this.#row + 0.5 };
  }

  #press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in STEPS) this.#step(STEPS[event.key], event.shiftKey ? LEAP : 1);
    else if (event.key === " " || event.key === "Enter") this.#paint();
    else if (event.key === "Escape" && this.#hasCorner) this.#giveUp();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #step([down, right], by) {
    const { height, width } = this.view.layout;
    this.#row = Math.min(height - 1, Math.max(0, this.#row + by * down));
    this.#column = Math.min(width - 1, Math.max(0, this.#column + by * right));
    if (this.#hasCorner) {
      this.hand.move(this.#place);
      this.onStroke(true);
    }
    this.show();
    this.#tell();
  }

  #paint() {
    if (!this.#hasCorner) this.hand.down(this.#place);
    this.#hasCorner = !this.#hasCorner && this.hand.mode === "rectangle";
    if (!this.#hasCorner) this.hand.up();
    this.onStroke(true); // keys repeat
    this.#tell(this.#hasCorner ? "first corner" : "painted");
  }

  #giveUp() {
    this.#hasCorner = false;
    this.hand.abandon();
    this.onStroke(false);
    this.#tell();
  }

  #leave() {
    this.view.cursor.hidden = true;
    if (this.#hasCorner) this.#giveUp();
  }

  #jump({ x, y }) {
    this.#column = Math.floor(x);
    this.#row = Math.floor(y);
    this.#hasCorner = false;
    this.show();
  }

  #tell(what) {
    const id = this.view.layout.ids[this.#row * this.view.layout.width + this.#column];
    const words = [`row ${this.#row + 1}`, `column ${this.#column + 1}`, this.names[id]];
    this.say([...words, ...(what ? [what] : [])].join(", "));
  }
}
