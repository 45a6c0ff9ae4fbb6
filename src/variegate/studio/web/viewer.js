/** A dialog with one image, large, and all that can be done with it. */

import { post } from "./api.js";
import { button, make } from "./dom.js";
import { emptyImage, setPng } from "./figures.js";
import { downloadPng } from "./files.js";
import { fileNameOf, nameOf, sameCode } from "./wire.js";

export class Viewer {
  #image = null;

  constructor(studio, dialog) {
    Object.assign(this, { studio, dialog });
    this.title = make("h2", { id: "viewer-title" });
    this.picture = emptyImage("");
    this.pin = button("", () => this.#togglePin());
    this.like = button("More like this", () => this.#showAlike());
    const save = (text, recipe) => button(text, () => studio.attempt(() => this.#save(recipe)));
    const buttons = [this.pin, this.like, save("Save PNG with recipe", true), save("Save plain PNG", false)];
    dialog.append(
      make("div", { className: "head" }, this.title, button("Close", () => dialog.close())),
      this.picture, make("div", { className: "together" }, ...buttons),
      make("p", { className: "note" }, "A PNG with recipe brings back layout, model and code when you drop it on this page."),
    );
    // A click beside the dialog lands on the dialog itself, that is on its backdrop.
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    studio.on("shown pins", () => dialog.open && this.#show());
  }

  open(image) {
    this.#image = image;
    this.#show();
    this.dialog.showModal();
  }

  #show() {
    const { code } = this.#image;
    const newest = [...this.studio.pins, ...this.studio.shown].find((image) => sameCode(image.code, code));
    const name = nameOf(code);
    this.title.textContent = name;
    this.picture.alt = `Sample of ${name}`;
    setPng(this.picture, (newest ?? this.#image).png);
    this.pin.textContent = this.studio.isPinned(code) ? "Unpin" : "Pin";
  }

  #togglePin() {
    if (this.studio.isPinned(this.#image.code)) this.studio.unpin(this.#image);
    else this.studio.pin(this.#image);
  }

  #showAlike() {
    this.studio.pin(this.#image);
    this.studio.showAround(this.#image);
    this.dialog.close();
  }

  async #save(recipe) {
    const { code } = this.#image;
    const { images } = await post("v1/sample", this.studio.request({ codes: [code], recipe }));
    downloadPng(images[0].png, `${this.studio.model.id}-${fileNameOf(code)}.png`);
  }
}
