/** Which pixels a shape covers, as positions in a label map. Places are in pixels: x 2.5 is the middle of column 2. */

/** The pixel that a brush is centred on; an even one is centred on a corner, the top left of this pixel. */
export function anchor({ x, y }, diameter) {
  const snap = diameter % 2 ? Math.floor : Math.round;
  return { column: snap(x), row: snap(y) };
}

/** A round brush drawn from one place to another, without gaps. */
export function* line(layout, from, to, diameter) {
  const start = anchor(from, diameter);
  const end = anchor(to, diameter);
  const dots = disc(diameter);
  const steps = Math.max(Math.abs(end.column - start.column), Math.abs(end.row - start.row), 1);
  for (let step = 0; step <= steps; step++) {
    const column = Math.round(start.column + ((end.column - start.column) * step) / steps);
    const row = Math.round(start.row + ((end.row - start.row) * step) / steps);
    for (const [down, right] of dots) yield* inside(layout, row + down, column + right);
  }
}

/** A rectangle with two places as opposite corners. */
export function* rectangle(layout, from, to) {
  const [left, right] = [Math.floor(from.x), Math.floor(to.x)].sort((a, b) => a - b);
  const [top, bottom] = [Math.floor(from.y), Math.floor(to.y)].sort((a, b) => a - b);
  for (let row = Math.max(0, top); row <= Math.min(layout.height - 1, bottom); row++) {
    for (let column = Math.max(0, left); column <= Math.min(layout.width - 1, right); column++) {
      yield row * layout.width + column;
    }
  }
}

/** Everything of one class that hangs together with a position. */
export function region({ height, width, ids }, start) {
  const seen = new Uint8Array(ids.length);
  const found = [start];
  seen[start] = 1;
  for (const position of found) {
    const column = position % width;
    const row = (position - column) / width;
    const near = [];
    if (column > 0) near.push(position - 1);
    if (column < width - 1) near.push(position + 1);
    if (row > 0) near.push(position - width);
    if (row < height - 1) near.push(position + width);
    for (const next of near) {
      if (seen[next] || ids[next] !== ids[start]) continue;
      seen[next] = 1;
      found.push(next);
    }
  }
  return found;
}

/** A stamp with its middle at a place: yields a class and its positions. */
export function* stamped(layout, stamp, { x, y }) {
  const left = Math.round(x - stamp.width / 2);
  const top = Math.round(y - stamp.height / 2);
  for (const { row, column, id } of stamp.pixels) {
    yield [id, inside(layout, top + row, left + column)];
  }
}

function* inside({ height, width }, row, column) {
  if (row >= 0 && row < height && column >= 0 && column < width) yield row * width + column;
}

function disc(diameter) {
  const dots = [];
  const first = -Math.floor(diameter / 2);
  const shift = diameter % 2 ? 0 : 0.5; // from the anchor to the middle of a pixel
  for (let down = first; down < first + diameter; down++) {
    for (let right = first; right < first + diameter; right++) {
      if ((down + shift) ** 2 + (right + shift) ** 2 <= (diameter / 2) ** 2) dots.push([down, right]);
    }
  }
  return dots;
}
