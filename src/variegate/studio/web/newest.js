/** Requests of one purpose, of which only the newest counts. */

import { post } from "./api.js";

const REPLACED = 409;

export class Newest {
  name = Math.random().toString(36).slice(2); // for `supersedes`; pages must not replace each other's requests
  #running = null; // AbortController of the newest request

  /** The answer; null if there is a newer request meanwhile. */
  async post(path, body) {
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    for (;;) {
      try {
        const answer = await post(path, body, running.signal);
        return this.#running === running ? answer : null;
      } catch (error) {
        if (this.#running !== running) return null;
        if (error.status !== REPLACED) throw error;
        // An older request has reached the server after this one, and replaced it. It is aborted, so ask again.
      }
    }
  }
}
