for (const figure of document.querySelectorAll(".steps")) {
  const slider = figure.querySelector("input"), shown = figure.querySelector("output");
  const show = () => {
    const place = slider.value / slider.max;
    for (const film of figure.querySelectorAll(".film")) {
      const frames = [...film.querySelectorAll("img")];
      const at = Math.round(place * (frames.length - 1));
      frames.forEach((frame, i) => { frame.hidden = i !== at; });
      film.querySelector(".step").textContent = "step " + frames[at].dataset.step;
    }
    shown.textContent = Math.round(100 * place) + " %";
  };
  slider.addEventListener("input", show);
  show();
}
for (const figure of document.querySelectorAll(".wipe")) {
  const [left, right] = figure.querySelectorAll("select"), slider = figure.querySelector("input");
  const layers = [...figure.querySelectorAll("img")];
  const show = () => {
    for (const layer of layers) {
      const over = layer.dataset.name === left.value, under = layer.dataset.name === right.value;
      layer.hidden = !over && !under;
      layer.style.zIndex = over ? 1 : 0;
      layer.style.clipPath = over ? "inset(0 " + (100 - slider.value) + "% 0 0)" : "none";
    }
    figure.querySelector(".line").style.left = slider.value + "%";
  };
  for (const control of [left, right, slider]) control.addEventListener("input", show);
  show();
}
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  table.querySelectorAll("thead button").forEach((button) => {
    const head = button.parentElement, column = head.cellIndex;
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => {
        const cell = row.cells[column], value = cell.dataset.value;
        return value === undefined || value === "" ? cell.textContent.trim() : Number(value);
      };
      const missing = (value) => value === "–";
      const rows = [...body.rows].sort((a, b) => {
        const x = key(a), y = key(b);
        if (missing(x) || missing(y)) return missing(x) - missing(y);
        const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
        return down ? -order : order;
      });
      body.append(...rows);
    });
  });
}
