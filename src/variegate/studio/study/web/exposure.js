/** Showing images for an exact time, by the clock of the frames that the browser draws. */

const ROUNDING = 1; // ms: browsers round the times of frames, and half a second of 60 Hz is 30 frames, not 31
const PROBE = 600; // ms during which a cross is shown and the time between frames is measured
const LONGEST_FRAME = 1000;

export const thousandths = (milliseconds) => Math.round(1000 * milliseconds) / 1000;

/** The time of the next frame; what is changed right after it is seen in that frame. */
export const nextFrame = () => new Promise(requestAnimationFrame);

/** Resolves once the page is in sight. */
export function inSight() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden) return;
      document.removeEventListener("visibilitychange", look);
      resolve();
    };
    document.addEventListener("visibilitychange", look);
  });
}

/** The median time between two frames in ms, measured for PROBE ms. */
export async function measureFrames() {
  const start = await nextFrame();
  const gaps = [];
  for (let before = start; before - start < PROBE; ) {
    const now = await nextFrame();
    gaps.push(now - before);
    before = now;
  }
  gaps.sort((a, b) => a - b);
  return thousandths(Math.min(gaps[gaps.length >> 1], LONGEST_FRAME));
}

/**
 * Shows something on a frame, and hides it on the first frame at or after a time.
 *
 * @returns how long it was shown in ms and frames, whether the page was out of sight meanwhile, and when it ended
 */
export async function expose(show, hide, milliseconds) {
  let hidden = document.hidden;
  const look = () => (hidden ||= document.hidden);
  document.addEventListener("visibilitychange", look);
  const start = await nextFrame();
  show();
  let now = start;
  let frames = 0;
  do {
    now = await nextFrame();
    frames += 1;
  } while (now - start < milliseconds - ROUNDING);
  hide();
  document.removeEventListener("visibilitychange", look);
  return { shown_ms: thousandths(now - start), frames, hidden, end: now };
}
