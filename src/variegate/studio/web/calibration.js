/** Whether a model's samples are as uncertain as they should be: in words, and the ranks of real values as bars. */

import { get } from "./api.js";
import { make } from "./dom.js";

/** A part of the page about a model; null for one without calibration. */
export async function calibrationOf({ id, can }) {
  if (!can.includes("calibration")) return null;
  const { words, ranks, conditions, samples } = await get(`v1/models/${encodeURIComponent(id)}/calibration`);
  const most = Math.max(...ranks);
  const bars = ranks.map((share, rank) => {
    const title = `${rank} of ${samples} samples below: ${(share * 100).toFixed(0)} % of the real values`;
    const bar = make("li", { title, "aria-label": title });
    bar.style.setProperty("--height", share / most);
    return bar;
  });
  const even = (100 / ranks.length).toFixed(0);
  const note = `On ${conditions} held-out conditions. The bars count real values by how many of ${samples} samples lie `
    + `below them; each would be ${even} % if samples and reality were alike.`;
  return make(
    "div", {}, make("h3", {}, "Calibration"), make("p", { className: "note" }, words),
    make("ul", { className: "ranks" }, ...bars), make("p", { className: "note" }, note),
  );
}
