/** What was on the page, kept in the browser for each model. */

const MOST = 2_000_000; // characters; browsers keep about five million for all of a site

export function save(model, state) {
  const text = JSON.stringify(state);
  try {
    if (text.length <= MOST) localStorage.setItem(keyOf(model), text);
  } catch {
    // The browser's space is used up or barred: the page works without.
  }
}

/** What was saved for a model; null if there is nothing that can be used. */
export function load(model) {
  try {
    return JSON.parse(localStorage.getItem(keyOf(model)));
  } catch {
    return null;
  }
}

function keyOf(model) {
  return `variegate.studio.${model.id}`;
}
