/** Tool for landmarks: points to be dragged, or moved by arrow keys. */

import { make } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const STEPS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
const LEAP = 5; // pixels, with Shift

export class LandmarkTool {
  #points = null;
  #picked = 0;
  #held = null; // id of the pointer that drags

  constructor({ size }) {
    this.size = size;
  }

  mount(element, need, onChange) {
    this.onChange = onChange;
    this.said = make("p", { className: "unseen", "aria-live": "polite" });
    this.stage = document.createElementNS(SVG, "svg");
    const label = `${need.noun}: Page Up and Page Down pick a point, arrow keys move it`;
    const attributes = { class: "landmarks", tabindex: 0, role: "application", "aria-label": label };
    for (const [name, value] of Object.entries(attributes)) this.stage.setAttribute(name, value);
    this.stage.addEventListener("pointerdown", (event) => this.#grab(event));
    this.stage.addEventListener("pointermove", (event) => this.#drag(event));
    this.stage.addEventListener("pointerup", (event) => this.#release(event));
    this.stage.addEventListener("pointercancel", (event) => this.#release(event));
    this.stage.addEventListener("keydown", (event) => this.#press(event));
    element.append(this.stage, this.said, make("p", { className: "note" }, "Drag the points of an example."));
  }

  value() {
    return this.#points && { kind: "landmarks", ...this.size, points: this.#points };
  }

  set({ height, width, points }) {
    this.size = { height, width };
    this.#points = points.map((point) => point && [...point]); // null: not there
    this.#picked = Math.max(0, points.findIndex(Boolean));
    this.stage.setAttribute("viewBox", `-0.5 -0.5 ${width} ${height}`); // a point at 0 is the middle of the first pixel
    const dots = points.map(() => document.createElementNS(SVG, "circle"));
    for (const dot of dots) dot.setAttribute("r", Math.max(height, width) / 60);
    this.stage.replaceChildren(...dots);
    points.forEach((_, index) => this.#place(index));
  }

  #place(index) {
    const dot = this.stage.children[index];
    const point = this.#points[index];
    dot.classList.toggle("absent", !point);
    if (!point) return;
    dot.setAttribute("cx", point[0]);
    dot.setAttribute("cy", point[1]);
    [...this.stage.children].forEach((each, i) => each.classList.toggle("picked", i === this.#picked));
  }

  #placeOf(event) {
    const frame = this.stage.getBoundingClientRect();
    const { height, width } = this.size;
    const x = ((event.clientX - frame.left) / frame.width) * width - 0.5;
    const y = ((event.clientY - frame.top) / frame.height) * height - 0.5;
    return [x, y];
  }

  #grab(event) {
    if (!this.#points?.some(Boolean) || this.#held !== null || event.button !== 0) return;
    const [x, y] = this.#placeOf(event);
    const distances = this.#points.map((point) => (point ? Math.hypot(point[0] - x, point[1] - y) : Infinity));
    this.#picked = distances.indexOf(Math.min(...distances));
    this.#held = event.pointerId;
    this.stage.setPointerCapture(this.#held);
    this.#place(this.#picked);
  }

  #drag(event) {
    if (event.pointerId === this.#held) this.#move(this.#placeOf(event), true);
  }

  #release(event) {
    if (event.pointerId !== this.#held) return;
    this.#held = null;
    this.onChange(false);
  }

  #move([x, y], isMoving) {
    const { height, width } = this.size;
    this.#points[this.#picked] = [Math.min(width - 1, Math.max(0, x)), Math.min(height - 1, Math.max(0, y))];
    this.#place(this.#picked);
    this.onChange(isMoving);
  }

  #press(event) {
    if (!this.#points?.[this.#picked]) return;
    const count = this.#points.length;
    const [x, y] = this.#points[this.#picked];
    if (event.key in STEPS) {
      const [right, down] = STEPS[event.key].map((step) => step * (event.shiftKey ? LEAP : 1));
      this.#move([x + right, y + down], true); // keys repeat
    } else if (event.key === "PageDown" || event.key === "PageUp") {
      do this.#picked = (this.#picked + (event.key === "PageDown" ? 1 : count - 1)) % count;
      while (!this.#points[this.#picked]);
      this.#place(this.#picked);
    } else {
      return;
    }
    event.preventDefault();
    const [column, row] = this.#points[this.#picked].map(Math.round);
    this.said.textContent = `point ${this.#picked + 1} of ${count}, row ${row + 1}, column ${column + 1}`;
  }
}
