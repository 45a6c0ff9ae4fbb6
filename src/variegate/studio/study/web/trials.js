/** The trials of a participant, one after the other. */

import { leftOrRight, ranking, realOrFake } from "./choices.js";
import { make, show, showProgress, tell } from "./dom.js";
import { thousandths } from "./exposure.js";
import { deliver } from "./server.js";
import { load, Stage } from "./stage.js";

const CHOICES = { "real-or-fake": realOrFake, "two-alternative": leftOrRight, ranking };
const PHONE = 640; // CSS pixels: below, two rankable images are beside each other, else three
const AGAIN = 2000; // ms until images that could not be loaded are loaded again

/** The images of a trial, however often it takes. */
async function insistOnImages(names) {
  for (;;) {
    try {
      const images = await load(names);
      tell();
      return images;
    } catch {
      tell("The images could not be loaded. Trying again…");
      await new Promise((resolve) => setTimeout(resolve, AGAIN));
    }
  }
}

/** Shows a trial and returns the answer. */
async function runTrial(terms, trial, images) {
  const across = terms.kind === "ranking" ? Math.min(innerWidth < PHONE ? 2 : 3, images.length) : images.length;
  const stage = new Stage(terms, { count: images.length, across });
  const choice = CHOICES[terms.kind]();
  show(make("h1", { className: "question" }, terms.question), stage.element, choice.element);
  const isTimed = trial.exposure_ms !== null;
  const { end, ...times } = await (isTimed ? stage.flash(images, trial.exposure_ms) : stage.present(images));
  const chosen = await choice.ask(images, stage);
  stage.close();
  return { choice: chosen, ...times, answer_ms: Math.max(0, thousandths(performance.now() - end)) };
}

/** Runs all trials that have no answer yet. */
export async function runTrials(terms, session, memory) {
  const answered = new Set(session.answered);
  const left = [...session.trials.keys()].filter((number) => !answered.has(number));
  let next = left.length ? insistOnImages(session.trials[left[0]].images) : null;
  for (const [at, number] of left.entries()) {
    showProgress(session.trials.length - left.length + at, session.trials.length);
    const images = await next;
    if (at + 1 < left.length) next = insistOnImages(session.trials[left[at + 1]].images);
    const answer = await runTrial(terms, session.trials[number], images);
    await deliver({ participant: session.participant, trial: number, ...answer }, memory);
  }
  showProgress(session.trials.length, session.trials.length);
}
