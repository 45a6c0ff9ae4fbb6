/** How trials of each kind are answered: by key, click or touch. */

import { key, make } from "./dom.js";

/**
 * Two buttons, also pressed by F and J and by the arrow keys.
 *
 * @returns the element, and `ask()`, which enables the buttons and resolves to the value of the one that is pressed
 */
function twoButtons(options) {
  const buttons = options.map(({ value, label, letter, arrow }) =>
    make(
      "button",
      { type: "button", disabled: true, className: "answer", value, "aria-keyshortcuts": `${letter} ${arrow.name}` },
      make("span", {}, label),
      make("small", { className: "keys", ariaHidden: "true" }, key(letter), " ", key(arrow.sign)),
    ),
  );
  const element = make("div", { className: "answers" }, ...buttons);
  const ask = () =>
    new Promise((resolve) => {
      const settle = (value) => {
        removeEventListener("keydown", press);
        buttons.forEach((button) => (button.disabled = true));
        resolve(value);
      };
      const press = (event) => {
        if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
        const isMeant = ({ letter, arrow }) => event.key.toUpperCase() === letter || event.key === arrow.name;
        const found = options.find(isMeant);
        if (!found) return;
        event.preventDefault();
        settle(found.value);
      };
      addEventListener("keydown", press);
      buttons.forEach((button) => {
        button.disabled = false;
        button.onclick = () => settle(button.value);
      });
    });
  return { element, ask };
}

const LEFT = { letter: "F", arrow: { name: "ArrowLeft", sign: "←" } };
const RIGHT = { letter: "J", arrow: { name: "ArrowRight", sign: "→" } };

export const realOrFake = () => twoButtons([
  { value: "fake", label: "Fake", ...LEFT },
  { value: "real", label: "Real", ...RIGHT },
]);

/** Two buttons below the images; the images can be pressed as well, while they are in sight. */
export function leftOrRight() {
  const { element, ask } = twoButtons([
    { value: "left", label: "Left", ...LEFT },
    { value: "right", label: "Right", ...RIGHT },
  ]);
  const askBoth = (images) => {
    images.forEach((image, at) => {
      image.classList.add("pressable");
      image.onclick = () => element.children[at].click();
    });
    return ask();
  };
  return { element, ask: askBoth };
}

/** Images are pressed one after the other, first to last; pressing one again takes it back. */
export function ranking() {
  const done = make("button", { type: "button", className: "strong", disabled: true }, "Done");
  const hint = make("p", { className: "soft" });
  const element = make("div", { className: "ranking" }, hint, done);
  const ask = (images, stage) =>
    new Promise((resolve) => {
      const order = [];
      const tiles = images.map((image, at) =>
        make("button", { type: "button", className: "tile", onclick: () => toggle(at) }, image, make("b")),
      );
      const refresh = () => {
        tiles.forEach((tile, at) => {
          const rank = order.indexOf(at) + 1;
          tile.lastChild.textContent = rank || "";
          tile.ariaPressed = String(rank > 0);
          tile.ariaLabel = `image ${at + 1}, ${rank ? `ranked ${rank}` : "not ranked"}`;
        });
        done.disabled = order.length < images.length;
        const next = `Press the image that comes ${order.length ? "next" : "first"}.`;
        hint.textContent = done.disabled ? next : "Press Done or Enter, or an image to take it back.";
      };
      const toggle = (at) => {
        if (order.includes(at)) order.splice(order.indexOf(at), 1);
        else order.push(at);
        refresh();
      };
      const finish = () => {
        removeEventListener("keydown", press);
        done.disabled = true;
        tiles.forEach((tile) => (tile.disabled = true));
        resolve(order);
      };
      const press = (event) => {
        if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
        const at = Number(event.key) - 1;
        if (at in tiles) toggle(at);
        else if (event.key === "Backspace" && order.length) toggle(order.at(-1));
        else if (event.key === "Enter" && !done.disabled && event.target.localName !== "button") finish();
      };
      addEventListener("keydown", press);
      done.onclick = finish;
      stage.place(tiles);
      refresh();
    });
  return { element, ask };
}
