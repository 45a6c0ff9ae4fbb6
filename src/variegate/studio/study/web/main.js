/** A participant's way through a study: consent, task, trials, thanks. */

import { apologise, askConsent, explain, thank, welcomeBack } from "./pages.js";
import { tell } from "./dom.js";
import { Memory } from "./memory.js";
import { deliver, getSession, getTerms, join } from "./server.js";
import { runTrials } from "./trials.js";

/** Where a known participant stopped; null: nobody known takes part. */
async function sessionOf(memory) {
  if (!memory.participant) return null;
  try {
    return await getSession(memory.participant);
  } catch (failure) {
    if (failure.status !== 404 && failure.status !== 422) throw failure;
    memory.participant = null;
    return null;
  }
}

/** Asks for consent until the server has admitted the participant. */
async function newSession(terms) {
  for (;;) {
    await askConsent(terms);
    try {
      return await join();
    } catch (failure) {
      if (!failure.passes) throw failure;
      tell(`${failure.message} Please try again.`);
    }
  }
}

async function main() {
  const terms = await getTerms();
  const memory = new Memory(terms.id);
  let session = await sessionOf(memory);
  const pending = memory.pending;
  if (session && pending && pending.participant === session.participant) {
    await deliver(pending, memory);
    session = await getSession(session.participant);
  }
  session ??= await newSession(terms);
  tell();
  memory.participant = session.participant;
  const { trials, answered } = session;
  if (answered.length && answered.length < trials.length) await welcomeBack(answered.length, trials.length);
  if (answered.length < trials.length) {
    const exposures = [...new Set(trials.map((trial) => trial.exposure_ms))].filter((one) => one !== null);
    await explain(terms, exposures.sort((a, b) => a - b));
    await runTrials(terms, session, memory);
  }
  thank(trials.length);
}

main().catch((failure) => apologise(failure.message));
