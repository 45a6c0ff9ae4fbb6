/** Tool for class conditions: a list of names. */

import { select } from "./dom.js";

const ROWS = 12;

export class ClassTool {
  mount(element, need, onChange) {
    const field = select("Class", need.names.map((name, index) => [index, name]), () => onChange(false));
    this.input = field.input;
    this.input.size = Math.min(ROWS, need.names.length);
    this.input.value = 0;
    element.append(field.element);
  }

  value() {
    return { kind: "class", index: Number(this.input.value) };
  }

  set({ index }) {
    this.input.value = index;
  }
}
