/** Work for a section that waits until the section is in sight. */

export class Lazy {
  #isStale = false;
  #isSeen = false;

  constructor(element, work) {
    this.work = work;
    new IntersectionObserver(([entry]) => {
      this.#isSeen = entry.isIntersecting;
      this.#catchUp();
    }).observe(element);
  }

  stale() {
    this.#isStale = true;
    this.#catchUp();
  }

  #catchUp() {
    if (!this.#isStale || !this.#isSeen) return;
    this.#isStale = false;
    this.work();
  }
}
