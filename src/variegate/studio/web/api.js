/** Requests to the server, with the token; failures carry its sentence. */

const BUSY = 429;
const UNKNOWN = 401;
const HOW = "open the whole address that the server printed, with #token=… at its end";
const TRIES = 6;
const token = findToken();

export class Failure extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

export async function get(path, signal) {
  return (await send(path, { signal })).json();
}

export async function post(path, body, signal) {
  const headers = { "Content-Type": "application/json" };
  return (await send(path, { method: "POST", headers, body: JSON.stringify(body), signal })).json();
}

export async function getBlob(path) {
  return (await send(path, {})).blob();
}

async function send(path, options) {
  const headers = { ...options.headers, Authorization: `Bearer ${token}` };
  for (let tries = 1; ; tries++) {
    const answer = await fetch(path.replace(/^\//, ""), { ...options, headers }).catch((error) => {
      throw error.name === "AbortError" ? error : new Failure(0, "the server does not answer");
    });
    if (answer.ok) return answer;
    if (answer.status === UNKNOWN) throw new Failure(UNKNOWN, token ? "the server was started again: reload this page" : HOW);
    if (answer.status !== BUSY || tries === TRIES) throw new Failure(answer.status, await sentenceOf(answer));
    await pause(Number(answer.headers.get("Retry-After")) || 1, options.signal);
  }
}

async function sentenceOf(answer) {
  const content = await answer.json().catch(() => ({}));
  return content.error ?? `the server answered ${answer.status}`;
}

export function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

/** A server on another machine leaves the token out of the page; it then comes in the address, once. */
function findToken() {
  const written = document.querySelector("meta[name=token]").content;
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem("token", given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return written || sessionStorage.getItem("token") || "";
}
