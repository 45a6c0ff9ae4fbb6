/** Requests to the server of the study. An answer is sent until it is acknowledged. */

import { tell } from "./dom.js";

const FIRST_WAIT = 1000; // ms before an answer is sent again; doubles each time
const LONGEST_WAIT = 15000;
const TIMEOUT = 20000;

export class Failure extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }

  /** Whether the same request may succeed later: the server is away, its disk is full, or it is busy. */
  get passes() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

async function request(path, body) {
  const headers = { "content-type": "application/json" };
  const options = body && { method: "POST", headers, body: JSON.stringify(body) };
  let response;
  try {
    response = await fetch(path, { ...options, signal: AbortSignal.timeout(TIMEOUT) });
  } catch {
    throw new Failure(0, "The server does not answer.");
  }
  const content = await response.json().catch(() => ({}));
  if (!response.ok) throw new Failure(response.status, content.error ?? `The server answers ${response.status}.`);
  return content;
}

const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const sentence = (text) => text[0].toUpperCase() + text.slice(1) + (text.endsWith(".") ? "" : ".");

/** Repeats a request until it succeeds or fails for good, and says meanwhile what is wrong. */
async function insist(path, body, meanwhile) {
  for (let pause = FIRST_WAIT; ; pause = Math.min(2 * pause, LONGEST_WAIT)) {
    try {
      const content = await request(path, body);
      tell();
      return content;
    } catch (failure) {
      if (!failure.passes) throw failure;
      tell(`${sentence(failure.message)} ${meanwhile}`);
      await wait(pause);
    }
  }
}

export const getTerms = () => insist("v1/study", null, "Trying again…");

export const getSession = (participant) => insist(`v1/participants/${participant}`, null, "Trying again…");

export const join = () => request("v1/participants", { agreed: true });

/** Sends an answer, which stays in memory until the server has it on its disk. */
export async function deliver(answer, memory) {
  memory.pending = answer;
  try {
    await insist("v1/answers", answer, "Your answer is kept here and sent again; please leave this page open.");
  } catch (failure) {
    if (failure.status !== 409) throw failure; // answered in another window: the first answer counts
  } finally {
    memory.pending = null;
  }
}
