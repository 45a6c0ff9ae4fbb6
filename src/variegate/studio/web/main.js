/** Puts the page together. */

import { Compare } from "./compare.js";
import { button, make, select } from "./dom.js";
import { Morph } from "./morph.js";
import { Opening } from "./open.js";
import { Samples } from "./samples.js";
import { mountSaving } from "./save.js";
import { Studio } from "./studio.js";
import { Understand } from "./understand.js";
import { Viewer } from "./viewer.js";

const part = (id) => document.getElementById(id);
const studio = new Studio(part("tools"));

function mountStatus() {
  const status = part("status");
  studio.on("said", ({ detail: { text, isError } }) => {
    status.textContent = text;
    status.classList.toggle("error", isError);
  });
}

function mountModels() {
  const use = (id) => studio.use(studio.models.find((model) => model.id === id));
  const models = select("Model", [], (id) => studio.attempt(() => use(id)));
  part("models").append(models.element);
  studio.on("model", () => {
    models.fill(studio.models.map(({ id }) => [id, id]));
    models.input.value = studio.model.id;
    part("models").hidden = studio.models.length < 2;
    part("task").textContent = studio.conditions.task;
    part("condition-title").textContent = studio.conditions.title;
  });
}

function mountExamples() {
  const position = make("span", {});
  const step = (by) => () => studio.attempt(() => studio.stepExample(by));
  const labels = [{ "aria-label": "Previous example" }, { "aria-label": "Next example" }];
  part("examples").append(button("‹", step(-1), labels[0]), position, button("›", step(1), labels[1]));
  studio.on("model settled", () => {
    const { example, examples } = studio;
    position.textContent = example < 0 ? "Examples" : `Example ${example + 1} of ${examples.count}`;
    part("examples").hidden = examples.count === 0;
  });
}

const viewer = new Viewer(studio, part("viewer"));
mountStatus();
mountModels();
mountExamples();
new Samples(studio, part("samples"), (image) => viewer.open(image));
new Morph(studio, part("morph"));
new Understand(studio, part("understand"));
new Compare(studio, part("compare"));
mountSaving(studio, part("save"), new Opening(studio, part("offer")));
studio.start().catch((error) => {
  studio.say(error.message, true);
  document.querySelector("main").inert = true; // without a model there is nothing to do
});
