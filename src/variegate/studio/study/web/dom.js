/** Elements, and what there is one of on the page. */

import { make } from "./element.js";

export { make };

/** Replaces what is on the page, and moves the focus to its heading, which screen readers then read. */
export function show(...children) {
  const main = document.getElementById("main");
  main.replaceChildren(...children);
  const heading = main.querySelector("h1");
  if (heading) {
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }
  scrollTo(0, 0);
}

/** A sentence below everything else; none: nothing is there. */
export function tell(sentence = "") {
  document.getElementById("status").textContent = sentence;
}

export function showProgress(done, all) {
  const header = document.getElementById("progress");
  const [bar, text] = header.children;
  header.hidden = false;
  bar.max = all;
  bar.value = done;
  text.textContent = `${done} of ${all}`;
}

export const paragraphs = (text) => text.split(/\n\s*\n/).map((part) => make("p", {}, part.trim()));

export const key = (name) => make("kbd", {}, name);
