// Charts of the reports, drawn from the tables beside them; without JavaScript the tables stand alone.
"use strict";

const styles = () => getComputedStyle(document.documentElement);
const colour = (name) => styles().getPropertyValue(`--${name}`).trim();
const numbers = new Intl.NumberFormat("en-IN");

// The rows of a table, the oldest first.
function rowsOf(table) {
  return Array.from(table.querySelectorAll("tbody tr[data-day]")).reverse();
}

function columnOf(rows, kind) {
  return rows.map((row) => {
    const text = row.querySelector(`[data-kind="${kind}"]`)?.dataset.value ?? "";
    return text === "" ? null : Number(text);
  });
}

function drawn(section) {
  const table = document.getElementById(section.dataset.table);
  const place = section.querySelector(".chart");
  if (!table || !place) return;
  const rows = rowsOf(table);
  const kinds = section.dataset.chart === "stack"
    ? Array.from(table.querySelectorAll("thead [data-kind]"), (head) => head.dataset.kind).filter((kind) => kind !== "share")
    : [section.dataset.column];
  const unit = section.dataset.unit ?? "";
  const values = kinds.map((kind) => columnOf(rows, kind));
  const names = rows.map((row) => row.querySelector("th").innerText.trim());
  const told = document.createElement("p");
  told.className = "told";
  told.setAttribute("aria-live", "polite");
  told.textContent = "Point at a bar, or use the arrow keys.";

  // Stacked from the bottom up: the last series, drawn first, is as high as all together.
  const sums = values.map((_, n) => rows.map((_, at) => values.slice(0, n + 1).reduce((sum, column) => sum + (column[at] ?? 0), 0)));
  const heights = section.dataset.chart === "stack" ? sums.slice().reverse() : values;
  const order = section.dataset.chart === "stack" ? kinds.slice().reverse() : kinds;
  const fill = (kind) => colour(`${kind}-fill`) || colour("accent");
  const bars = uPlot.paths.bars({ size: [0.8, 60] });
  const series = order.map((kind) => section.dataset.chart === "stack"
    ? { fill: () => fill(kind), stroke: () => fill(kind), width: 0, paths: bars, points: { show: false } }
    : { stroke: () => colour("rejected-fill"), width: 2, spanGaps: true, points: { show: true, size: 7, fill: () => colour("rejected-fill") } });

  function say(at) {
    if (at === null || at === undefined) return;
    const head = rows[at].querySelector("th a");
    const parts = kinds.map((kind, n) => {
      const name = section.dataset.chart === "stack" ? ` ${table.querySelector(`thead [data-kind="${kind}"]`).innerText.toLowerCase()}` : unit;
      return values[n][at] === null ? "no rows" : `${numbers.format(values[n][at])}${name}`;
    });
    told.replaceChildren(`${names[at]}: ${parts.join(", ")}. `);
    if (head) {
      const link = document.createElement("a");
      link.href = head.href;
      link.textContent = "Files of this day";
      told.append(link);
    }
  }

  const axis = {
    stroke: () => colour("muted"), grid: { stroke: () => colour("line"), width: 1 }, ticks: { stroke: () => colour("line") },
    font: "12px system-ui, sans-serif",
  };
  const short = names.map((name) => name.replace(/^\w+day, /, "").replace(/^(\d+ \w{3})\w*/, "$1"));
  const plot = new uPlot({
    width: place.clientWidth || 600,
    height: 220,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    scales: { x: { time: false, range: [-0.6, rows.length - 0.4] }, y: { range: (_, _low, high) => [0, Math.max(1, high * 1.05)] } },
    axes: [
      { ...axis, values: (_, splits) => splits.map((at) => (Number.isInteger(at) ? short[at] ?? "" : "")) },
      { ...axis, size: 64, values: (_, splits) => splits.map((value) => numbers.format(value) + unit) },
    ],
    series: [{}, ...series],
    hooks: { setCursor: [(self) => say(self.cursor.idx)] },
  }, [rows.map((_, at) => at), ...heights], place);

  place.tabIndex = 0;
  place.setAttribute("role", "group");
  place.setAttribute("aria-label", `${place.dataset.says}. Arrow keys move from one to the next; the table has all numbers.`);
  place.after(told);
  let at = rows.length - 1;
  place.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -rows.length, End: rows.length }[event.key];
    if (event.key === "Enter") told.querySelector("a")?.click();
    if (!step) return;
    event.preventDefault();
    at = Math.min(rows.length - 1, Math.max(0, at + step));
    plot.setCursor({ left: plot.valToPos(at, "x"), top: 10 });
  });
  new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: 220 })).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot.redraw(false));
}

document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-chart]").forEach(drawn));
