/** Files of all samples, and a way back for those that were saved. */

import { button, fileButton, make } from "./dom.js";
import { downloadJob } from "./files.js";

export function mountSaving(studio, section, opening) {
  const job = (kind, text, ending) => button(text, () => studio.attempt(async () => {
    const sample = studio.request({ codes: [...studio.pins, ...studio.shown].map(({ code }) => code) });
    if (!sample) return;
    studio.say("Making the file…");
    await downloadJob({ kind, sample }, `${studio.model.id}-${kind}.${ending}`);
    studio.say("File saved");
  }));
  const open = fileButton("Open a saved PNG…", "image/png", (file) => studio.attempt(() => opening.open(file)));
  const buttons = [job("grid", "Save all as one PNG", "png"), job("archive", "Save all as ZIP", "zip"), open];
  const note = "The ZIP holds images, codes, layout and request. Click an image above to save it alone; "
    + "drop a PNG with recipe anywhere on this page to go on from there.";
  section.append(make("div", { className: "together" }, ...buttons), make("p", { className: "note" }, note));
}
