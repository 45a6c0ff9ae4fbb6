/** Painting classes on a layout: palette, brushes, history and keys around a canvas. */

import { CanvasView } from "./canvas_view.js";
import { Cursor } from "./cursor.js";
import { Choice, button, isTyping, make, slider } from "./dom.js";
import { Hand } from "./hand.js";
import { followPointers } from "./pen.js";

const MODES = { brush: "Brush", fill: "Fill", rectangle: "Rectangle", stamp: "Stamp" };
const LARGEST = 24; // brush, in pixels

export class Editor {
  /**
   * `classes`: name and colour [r, g, b] or [r, g, b, a]. `modes`: some of MODES. `onStroke(isMoving)` hears of every
   * change. `label` names the canvas.
   */
  constructor(layout, { classes, modes, label, onStroke }) {
    Object.assign(this, { layout, classes, onStroke, offered: modes });
    this.hand = new Hand(layout);
    this.view = new CanvasView(layout, classes.map(({ colour }) => colour), label);
    const said = make("p", { className: "unseen", "aria-live": "polite" });
    this.cursor = new Cursor(this.view, this.hand, {
      names: classes.map(({ name }) => name),
      onStroke: (isMoving) => this.changed(isMoving),
      say: (text) => { said.textContent = text; },
    });
    followPointers(this.view, this.hand, (isMoving) => this.changed(isMoving));
    this.drawer = make("div", {}); // for what belongs to a mode, such as the stamps
    this.element = make(
      "div", { className: "editor" },
      make("div", { className: "bar" }, this.#makeModes(), this.#makeHistory()),
      this.view.element, this.#makePalette(), make("div", { className: "drawer" }, this.#makeSize(), this.drawer), said,
    );
    this.element.addEventListener("keydown", (event) => this.#press(event));
    document.addEventListener("keydown", (event) => {
      if (event.target === document.body && this.element.isConnected) this.#press(event);
    });
    this.setMode("brush");
    this.setClass(Math.min(1, classes.length - 1)); // class 0 is mostly the background
    this.show();
  }

  setMode(mode) {
    this.hand.mode = mode;
    this.modes.press(mode);
    this.size.element.hidden = mode !== "brush";
    this.onMode?.();
    this.cursor.show();
  }

  setClass(id) {
    this.hand.id = id;
    this.palette.press(id);
    this.onMode?.();
  }

  setSize(size) {
    this.hand.size = Math.min(LARGEST, Math.max(1, size));
    this.size.set(this.hand.size);
    this.cursor.show();
  }

  /** Shows the layout as it is now. */
  show() {
    this.view.draw();
    this.undoButton.disabled = !this.layout.canUndo;
    this.redoButton.disabled = !this.layout.canRedo;
  }

  /** Shows the layout and tells of its change; more changes may follow at once if `isMoving`. */
  changed(isMoving) {
    this.show();
    this.onStroke(isMoving);
  }

  #step(direction) {
    this.layout[direction]();
    this.changed(true); // keys repeat
  }

  #makeModes() {
    this.modes = new Choice("Tools", "choice", (mode) => this.setMode(mode));
    const option = (mode) => ({ value: mode, content: [MODES[mode]], title: `${MODES[mode]} (${mode[0].toUpperCase()})` });
    this.modes.fill(this.offered.map(option));
    return this.modes.element;
  }

  #makeHistory() {
    this.undoButton = button("Undo", () => this.#step("undo"), { title: "Undo (Ctrl+Z)" });
    this.redoButton = button("Redo", () => this.#step("redo"), { title: "Redo (Ctrl+Shift+Z)" });
    return make("div", { className: "together" }, this.undoButton, this.redoButton);
  }

  #makePalette() {
    this.palette = new Choice("Classes", "palette", (id) => this.setClass(id));
    const options = this.classes.map(({ name, colour }, id) => {
      const swatch = make("i", {});
      swatch.style.background = `rgb(${colour.slice(0, 3)})`;
      const key = id < 9 ? [make("kbd", { "aria-hidden": "true" }, String(id + 1))] : [];
      return { value: id, content: [swatch, name, ...key] };
    });
    this.palette.fill(options);
    return this.palette.element;
  }

  #makeSize() {
    const range = { min: 1, max: LARGEST, value: this.hand.size, show: (size) => `${size} px` };
    this.size = slider("Brush size", range, (size) => this.setSize(size));
    return this.size.element;
  }

  #press(event) {
    if (isTyping(event.target)) return;
    const key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) {
      if (key !== "z" && key !== "y") return;
      this.#step(key === "y" || event.shiftKey ? "redo" : "undo");
    } else if (event.altKey || !this.#pressPlain(key)) {
      return;
    }
    event.preventDefault();
  }

  #pressPlain(key) {
    const mode = Object.keys(MODES).find((name) => name[0] === key);
    const id = "123456789".indexOf(key);
    if (this.offered.includes(mode)) this.setMode(mode);
    else if (id >= 0 && id < this.classes.length) this.setClass(id);
    else if (key === "[" || key === "]") this.setSize(this.hand.size + (key === "]" ? 1 : -1));
    else return false;
    return true;
  }
}
