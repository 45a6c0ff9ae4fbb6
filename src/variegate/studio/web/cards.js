/** Samples as cards: an image that opens, its code, and what can be done with it. */

import { button, make } from "./dom.js";
import { emptyImage, setPng } from "./figures.js";
import { nameOf, shortNameOf } from "./wire.js";

/** One place in a row or grid. It shows one image after another, so that focus stays where it is. */
class Card {
  constructor(onOpen, actions) {
    this.image = emptyImage("");
    this.open = button("", () => onOpen(this.shown), { className: "look" });
    this.open.append(this.image);
    this.name = make("span", {});
    this.actions = actions.map(({ text, onClick }) => ({ text, element: button(text, () => onClick(this.shown)) }));
    const buttons = this.actions.map(({ element }) => element);
    this.element = make("figure", { className: "card" }, this.open, make("figcaption", {}, this.name, ...buttons));
  }

  show(shown) {
    this.shown = shown;
    const name = nameOf(shown.code);
    setPng(this.image, shown.png);
    this.image.alt = `Sample of ${name}`;
    this.open.title = "Look at it closely";
    this.name.textContent = shortNameOf(shown.code);
    this.name.title = name;
    for (const { element, text } of this.actions) element.setAttribute("aria-label", `${text}: ${name}`);
  }
}

export class Cards {
  #cards = [];

  /** `actions`: text and onClick(image), of every card. */
  constructor(className, onOpen, actions) {
    Object.assign(this, { onOpen, actions, element: make("div", { className }) });
  }

  show(images) {
    while (this.#cards.length < images.length) this.#cards.push(new Card(this.onOpen, this.actions));
    this.#cards.length = images.length;
    images.forEach((image, i) => this.#cards[i].show(image));
    while (this.element.children.length > images.length) this.element.lastChild.remove();
    this.element.append(...this.#cards.slice(this.element.children.length).map(({ element }) => element));
  }
}
