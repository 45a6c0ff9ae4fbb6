/** PNGs that come back: dropped on the page, or chosen. With a recipe they restore how they were made. */

import { post } from "./api.js";
import { button, make } from "./dom.js";
import { fileToBase64 } from "./wire.js";

/** `offer` is where the page asks what to do with a PNG without a recipe. */
export class Opening {
  constructor(studio, offer) {
    Object.assign(this, { studio, offer });
    addEventListener("dragover", (event) => this.#hover(event));
    addEventListener("dragleave", (event) => event.relatedTarget ?? this.#mark(false));
    addEventListener("drop", (event) => this.#drop(event));
  }

  async open(file) {
    this.offer.replaceChildren();
    const recipe = await post("v1/recipe", { png: await fileToBase64(file) });
    if (!recipe) {
      this.#offerImport(file);
      return;
    }
    await this.studio.restore(recipe);
    scrollTo({ top: 0 }); // to the layout
  }

  #offerImport(file) {
    this.studio.say("this file holds no recipe");
    const close = () => this.offer.replaceChildren();
    const take = async () => {
      close();
      await this.studio.importFile(file);
    };
    const text = make("span", {}, `${file.name} has no recipe.`);
    const accept = button("Import it as layout", () => this.studio.attempt(take), { className: "strong" });
    this.offer.replaceChildren(text, accept, button("Leave it", close));
    accept.focus();
  }

  #hover(event) {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault(); // or the browser would leave the page for the file
    this.#mark(true);
  }

  #drop(event) {
    this.#mark(false);
    const [file] = event.dataTransfer.files;
    if (!file) return;
    event.preventDefault();
    this.studio.attempt(() => this.open(file));
  }

  #mark(isOver) {
    document.body.classList.toggle("dropping", isOver);
  }
}
