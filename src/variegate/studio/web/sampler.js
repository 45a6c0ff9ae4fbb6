/** When images are asked for: quickly and few while something moves, in full once it rests. */

const REST = 150; // milliseconds

export class Sampler {
  #resting = 0; // timer
  #turn = 0; // number of the newest request
  #isQuick = false; // whether it is a quick one, and under way
  #isBehind = false; // whether something has moved since then

  /** `quick()` and `full()` ask and show the answer; `fail(error)` is told what went wrong. */
  constructor({ quick, full, fail }) {
    Object.assign(this, { quick, full, fail });
  }

  /** As often as answers come, and no more often. */
  moving() {
    clearTimeout(this.#resting);
    this.#resting = setTimeout(() => this.settle(), REST);
    if (this.#isQuick) this.#isBehind = true;
    else this.#run(true);
  }

  settle() {
    clearTimeout(this.#resting);
    this.#run(false);
  }

  async #run(isQuick) {
    const turn = ++this.#turn;
    this.#isQuick = isQuick;
    this.#isBehind = false;
    try {
      await (isQuick ? this.quick : this.full)();
    } catch (error) {
      if (!isQuick) this.fail(error); // what ails a quick one will ail the full one
    }
    if (turn !== this.#turn) return;
    this.#isQuick = false;
    if (this.#isBehind) this.#run(true);
  }
}
