/** Tool for models without a condition. */

import { make } from "./dom.js";

export class NothingTool {
  mount(element) {
    element.append(make("p", { className: "note" }, "This model needs no condition: its images differ by their code alone."));
  }

  value() {
    return { kind: "none" };
  }

  set() {}
}
