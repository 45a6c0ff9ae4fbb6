/** What is uncertain about the images of the condition: their mean and spread, how they differ, what they resemble. */

import { calibrationOf } from "./calibration.js";
import { make } from "./dom.js";
import { figureOf, imageOf } from "./figures.js";
import { Lazy } from "./lazy.js";
import { Newest } from "./newest.js";
import { nameOf, shortNameOf } from "./wire.js";

const MOST = 12; // images, so that the table stays readable

export class Understand {
  #newest = new Newest();

  constructor(studio, section) {
    this.studio = studio;
    this.content = make("div", {}, make("p", { className: "note" }, "Drawing…"));
    this.calibration = make("div", {});
    section.append(this.content, this.calibration);
    const lazy = new Lazy(section, () => studio.attempt(() => this.#load()));
    studio.on("settled", () => lazy.stale());
    const onceForEach = new Lazy(section, () => studio.attempt(() => this.#loadCalibration()));
    studio.on("model", () => onceForEach.stale());
  }

  async #loadCalibration() {
    const { model } = this.studio;
    this.calibration.replaceChildren();
    const found = await calibrationOf(model);
    if (found && model === this.studio.model) this.calibration.replaceChildren(found);
  }

  async #load() {
    const codes = this.studio.codes().slice(0, MOST);
    const request = codes.length > 1 && this.studio.request({ codes });
    if (!request) return;
    const found = await this.#newest.post("v1/explain", request);
    if (!found) return;
    const spread = make("div", { className: "columns" }, this.#moments(found), differences(found));
    this.content.replaceChildren(spread, ...nearest(found), ...surprisal(found));
  }

  #moments({ mean, deviation, deviation_top: top, predicted, images }) {
    const source = predicted ? "Predicted by the model." : `Of ${images.length} images.`;
    return make(
      "div", {}, make("h3", {}, "Mean and deviation"),
      make(
        "div", { className: "figures" },
        figureOf(mean, "Mean of the images", "Mean"),
        figureOf(deviation, "Heat map of the standard deviation", `Standard deviation; brightest is ${top.toFixed(2)}`),
      ),
      make("p", { className: "note" }, `${source} Bright places are open; dark ones follow from the condition.`),
    );
  }
}

function differences({ pairwise, images }) {
  const most = Math.max(...pairwise.flat()) || 1;
  const names = images.map(({ code }) => nameOf(code));
  const head = (image, i, scope) => make("th", { scope }, imageOf(image.png, names[i]));
  const rows = pairwise.map((row, i) => make("tr", {}, head(images[i], i, "row"), ...row.map((value, j) => {
    const title = `${names[i]} and ${names[j]}: ${value.toFixed(3)}`;
    const cell = make("td", { title }, value.toFixed(2).replace(/^0/, ""));
    cell.style.setProperty("--shade", value / most);
    return cell;
  })));
  const table = make(
    "table", { className: "heat" },
    make("caption", {}, "Root mean squared difference of every two images; black and white would be 1 apart."),
    make("thead", {}, make("tr", {}, make("td", {}), ...images.map((image, i) => head(image, i, "col")))),
    make("tbody", {}, ...rows),
  );
  const label = "Differences of every two images";
  const wide = make("div", { className: "wide", tabIndex: 0, role: "region", "aria-label": label }, table);
  return make("div", {}, make("h3", {}, "How they differ"), wide);
}

function nearest({ nearest: found, images }) {
  if (!found.length) return [];
  const pairs = found.map(({ png, distance, index }, i) => make(
    "figure", { className: "pair" },
    imageOf(images[i].png, `Sample of ${nameOf(images[i].code)}`), imageOf(png, `Training image ${index}`),
    make("figcaption", {}, `${shortNameOf(images[i].code)}, and training image ${index}: ${distance.toFixed(3)} apart`),
  ));
  return [
    make("h3", {}, "Nearest training images"), make("div", { className: "pairs" }, ...pairs),
    make("p", { className: "note" }, "Left the sample, right the training image most like it. A copy would be 0 apart."),
  ];
}

function surprisal({ surprisal: maps, surprisal_top: top, images }) {
  if (!maps.length) return [];
  const figures = maps.map((map, i) => figureOf(map, `Surprisal of ${nameOf(images[i].code)}`, shortNameOf(images[i].code)));
  return [
    make("h3", {}, "Surprisal"), make("div", { className: "figures" }, ...figures),
    make("p", { className: "note" }, `Bits per pixel: what the model did not foresee. Brightest is ${top.toFixed(1)}.`),
  ];
}
