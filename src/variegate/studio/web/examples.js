/** The conditions that a model brings along; each is asked for once. */

import { get } from "./api.js";

export class Examples {
  #conditions = new Map(); // index -> promise

  constructor(model) {
    this.model = model;
    this.count = model.examples;
  }

  get(index) {
    if (!this.#conditions.has(index)) this.#conditions.set(index, this.#load(index));
    return this.#conditions.get(index);
  }

  first(count) {
    return Promise.all(Array.from({ length: Math.min(count, this.count) }, (_, index) => this.get(index)));
  }

  async #load(index) {
    return (await get(`v1/models/${encodeURIComponent(this.model.id)}/examples/${index}`)).condition;
  }
}
