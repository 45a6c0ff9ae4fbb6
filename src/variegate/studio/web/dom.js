/** Elements, and the few controls that the page is made of. */

import { make } from "./element.js";

export { make };

let lastId = 0;

export function button(text, onclick, properties = {}) {
  return make("button", { type: "button", onclick, ...properties }, text);
}

export function setPressed(element, isOn) {
  element.setAttribute("aria-pressed", String(isOn));
}

/** A range input between its label and its value. */
export function slider(label, { show = String, ...properties }, onValue) {
  const input = make("input", { type: "range", id: `range-${++lastId}`, ...properties });
  const shown = make("span", { className: "value", "aria-hidden": "true" });
  const set = (value) => {
    input.value = value;
    shown.textContent = show(input.valueAsNumber);
    input.setAttribute("aria-valuetext", shown.textContent);
  };
  input.addEventListener("input", () => {
    set(input.value);
    onValue(input.valueAsNumber);
  });
  set(properties.value);
  const element = make("div", { className: "slider" }, make("label", { htmlFor: input.id }, label), input, shown);
  return { element, input, set };
}

export function select(label, options, onPick) {
  const input = make("select", { id: `select-${++lastId}` });
  const fill = (pairs) => input.replaceChildren(...pairs.map(([value, text]) => make("option", { value }, text)));
  fill(options);
  input.addEventListener("change", () => onPick(input.value));
  const element = make("div", { className: "field" }, make("label", { htmlFor: input.id }, label), input);
  return { element, input, fill };
}

/** Buttons of which one is pressed. Options: value, text or content, and anything else that a button has. */
export class Choice {
  #buttons = new Map();

  constructor(label, className, onPick) {
    this.element = make("div", { className, role: "group", "aria-label": label });
    this.onPick = onPick;
  }

  fill(options) {
    this.#buttons.clear();
    for (const { value, content, ...properties } of options) {
      const element = button("", () => this.onPick(value), properties);
      element.append(...content);
      this.#buttons.set(value, element);
    }
    this.element.replaceChildren(...this.#buttons.values());
  }

  press(picked) {
    for (const [value, element] of this.#buttons) setPressed(element, value === picked);
  }
}

/** A button that asks for a file. */
export function fileButton(text, accept, onFile) {
  const input = make("input", { type: "file", accept, hidden: true });
  input.addEventListener("change", () => {
    if (input.files.length) onFile(input.files[0]);
    input.value = ""; // so that the same file can be chosen again
  });
  return make("span", {}, input, button(text, () => input.click()));
}

/** Whether keys belong to the text that is being typed rather than to the page. */
export function isTyping(target) {
  return target.matches("select, textarea, input:not([type=range], [type=file])");
}
