/** Tool for vectors, such as embeddings: any point between those of two examples. */

import { select, slider } from "./dom.js";

export class VectorTool {
  #ends = [];

  constructor({ exampleCount, loadExamples }) {
    Object.assign(this, { exampleCount, loadExamples });
  }

  mount(element, need, onChange) {
    this.#ends = [new Array(need.length).fill(0), new Array(need.length).fill(0)];
    const options = Array.from({ length: this.exampleCount }, (_, i) => [i, `example ${i + 1}`]);
    const pick = (end) => async (number) => {
      const examples = await this.loadExamples(this.exampleCount);
      this.#ends[end] = examples[number].values;
      onChange(false);
    };
    this.from = select("From", [["", "current"], ...options], pick(0));
    this.to = select("To", [["", "current"], ...options], pick(1));
    const range = { min: 0, max: 1, step: 0.01, value: 0, show: (share) => `${Math.round(100 * share)} %` };
    this.share = slider("Share", range, () => onChange(true));
    element.append(this.from.element, this.to.element, this.share.element);
  }

  value() {
    const share = this.share.input.valueAsNumber;
    const [from, to] = this.#ends;
    return { kind: "vector", values: from.map((value, i) => value + share * (to[i] - value)) };
  }

  /** The vector becomes both ends. */
  set({ values }) {
    this.#ends = [values, values];
    this.from.input.value = this.to.input.value = "";
    this.share.set(0);
  }
}
