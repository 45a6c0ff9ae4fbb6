/** Bytes, codes and label maps as the API sends them. */

function toBase64(bytes) {
  let text = "";
  const most = 0x8000; // arguments of one call
  for (let i = 0; i < bytes.length; i += most) text += String.fromCharCode(...bytes.subarray(i, i + most));
  return btoa(text);
}

export function fromBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

export async function fileToBase64(file) {
  return toBase64(new Uint8Array(await file.arrayBuffer()));
}

export function dataUrl(png) {
  return `data:image/png;base64,${png}`;
}

export function labelMap({ height, width, ids }) {
  return { kind: "labels", height, width, ids: toBase64(ids) };
}

function isSeeded(code) {
  return "seed" in code;
}

export function nameOf(code) {
  if (isSeeded(code)) return `seed ${code.seed}, image ${code.index}`;
  if ("between" in code) {
    const [start, end] = code.between.map(nameOf);
    return `${Math.round(code.share * 100)} % of the way from ${start} to ${end}`;
  }
  return "a code of its own";
}

/** A name short enough for a caption; seeded codes are named as `variegate sample` names its files. */
export function shortNameOf(code) {
  if (isSeeded(code)) return `${code.seed}-${code.index}`;
  if ("between" in code) return `${code.between.map(shortNameOf).join("→")} ${Math.round(code.share * 100)} %`;
  return "own code";
}

export function fileNameOf(code) {
  return shortNameOf(code).replace(" %", "").replace(/[→ ]/g, "_");
}

export function sameCode(one, other) {
  return identityOf(one) === identityOf(other);
}

function identityOf(code) {
  if (isSeeded(code)) return `${code.seed}/${code.index}`;
  if ("between" in code) return `${code.between.map(identityOf).join("~")}@${code.share}`;
  return code.values;
}
