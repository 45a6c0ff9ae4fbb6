/** What this browser remembers of a study: who takes part, and an answer that the server has not acknowledged yet. */

const FRAGMENT = "participant";

function stored(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null; // storage is switched off; the fragment of the address still holds the participant
  }
}

function store(name, value) {
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, value);
  } catch {
    // as above
  }
}

export class Memory {
  constructor(study) {
    this.participantName = `variegate-study-${study}`;
    this.pendingName = `variegate-study-${study}-pending`;
  }

  /** The participant of the address, else of this browser; null: nobody yet. */
  get participant() {
    return new URLSearchParams(location.hash.slice(1)).get(FRAGMENT) || stored(this.participantName);
  }

  set participant(identity) {
    store(this.participantName, identity);
    history.replaceState(null, "", identity ? `#${FRAGMENT}=${identity}` : location.pathname);
  }

  get pending() {
    try {
      return JSON.parse(stored(this.pendingName));
    } catch {
      return null;
    }
  }

  set pending(answer) {
    store(this.pendingName, answer && JSON.stringify(answer));
  }
}
