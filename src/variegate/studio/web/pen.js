/** Strokes of mouse, pen and touch on a canvas view. */

export function followPointers(view, hand, onStroke) {
  const { canvas } = view;
  let held = null; // id of the pointer that draws; others, such as a second finger, do not

  const finish = (event) => {
    if (event.pointerId !== held) return;
    held = null;
    hand.up();
    onStroke(false);
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (held !== null || event.button !== 0) return;
    held = event.pointerId;
    canvas.setPointerCapture(held);
    hand.down(view.placeOf(event));
    onStroke(true);
  });

  canvas.addEventListener("pointermove", (event) => {
    view.mark(view.brush, hand.reach(view.placeOf(event)));
    if (event.pointerId !== held) return;
    const passed = event.getCoalescedEvents?.() ?? [];
    for (const each of passed.length ? passed : [event]) hand.move(view.placeOf(each));
    onStroke(true);
  });

  canvas.addEventListener("pointerup", finish);
  canvas.addEventListener("pointercancel", finish); // what has been painted until then stays, and can be undone
  canvas.addEventListener("pointerleave", () => { view.brush.hidden = true; });
}
