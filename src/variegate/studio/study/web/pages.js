/** What is read before and after the trials. Each page resolves when its button is pressed. */

import { key, make, paragraphs, show } from "./dom.js";
import { load, Stage } from "./stage.js";

const EXAMPLE = { width: 192, height: 192 };

function ended(buttonText, ...content) {
  return new Promise((resolve) => {
    const button = make("button", { type: "button", className: "strong", onclick: resolve }, buttonText);
    show(...content, make("div", { className: "actions" }, button));
  });
}

export const askConsent = ({ consent, minutes }) =>
  ended(
    "I agree and take part",
    make("h1", {}, "A study of images"),
    make("p", { className: "soft" }, `About ${minutes} minute${minutes === 1 ? "" : "s"}.`),
    make("div", { className: "text" }, ...paragraphs(consent)),
  );

const keys = (...content) => make("span", { className: "keys" }, ...content);

const HOW = {
  "real-or-fake": () => [
    "Some images are real, others were made by a computer. After each, press Fake or Real.",
    keys(" On a keyboard: ", key("F"), " or ", key("←"), " for fake, ", key("J"), " or ", key("→"), " for real."),
  ],
  "two-alternative": () => [
    "You see two images side by side. Press Left or Right.",
    keys(" On a keyboard: ", key("F"), " or ", key("←"), " for left, ", key("J"), " or ", key("→"), " for right."),
  ],
  ranking: () => [
    "You see several images. Press them in order, first to last; press one again to take it back.",
    keys(" On a keyboard: ", key("1"), " ", key("2"), " … for the images from the left, ", key("⌫"), " to take one back."),
  ],
};

/** The task, and an example of how short an exposure is. */
export function explain({ kind, question }, exposures) {
  const guess = "If you are not sure, choose what you think is likelier.";
  const heading = make("h1", {}, question);
  const task = make("div", { className: "text" }, make("p", {}, ...HOW[kind]()), make("p", {}, guess));
  if (!exposures.length) return ended("Start", heading, task);
  const seconds = exposures.map((one) => one / 1000).join(" or ");
  task.append(make("p", {}, `Each image is seen for ${seconds} s only. Look at the cross that comes before it.`));
  return ended("Start", heading, task, ...flashedExample(exposures));
}

function flashedExample(exposures) {
  const stage = new Stage(EXAMPLE, { largest: EXAMPLE.width });
  stage.element.classList.add("example");
  const button = make("button", { type: "button" }, "Show an example");
  button.onclick = async () => {
    button.disabled = true;
    for (const exposure of exposures) await stage.flash(await load(["example"], "static/", ".svg"), exposure);
    button.disabled = false;
  };
  return [stage.element, make("div", { className: "actions" }, button)];
}

const text = (...sentences) => make("div", { className: "text" }, ...sentences.map((one) => make("p", {}, one)));

export const welcomeBack = (answered, all) =>
  ended("Go on", make("h1", {}, "Welcome back"), text(`You have answered ${answered} of ${all}.`));

export const thank = (all) =>
  show(make("h1", {}, "Thank you"), text(`All ${all} answers are stored. You can close this page.`));

export const apologise = (sentence) =>
  show(
    make("h1", {}, "This did not work"),
    text(sentence, "What you have answered is stored. Load the page again to go on."),
  );
