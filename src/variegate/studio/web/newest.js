/** Requests of one purpose, of which only the newest counts. */

import { post } from "./api.js";

const REPLACED = 409;

export class Newest {
  #name = Math.random().toString(36).slice(2); // pages must not replace each other's requests
  #number = 0;
  #running = null; // AbortController of the newest request

  /** The answer; null if there is a newer request meanwhile. */
  async post(path, body) {
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    const supersedes = { name: this.#name, number: ++this.#number };
    try {
      const answer = await post(path, { ...body, supersedes }, running.signal);
      return this.#running === running ? answer : null;
    } catch (error) {
      if (this.#running !== running || error.status === REPLACED) return null;
      throw error;
    }
  }
}
