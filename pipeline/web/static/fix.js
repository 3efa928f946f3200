// Correcting rows with JavaScript: a cell that is left is kept and judged at once, a column is pasted
// down, statuses are chosen from a list. Without it the form does the same when it is sent.
"use strict";

const fix = document.getElementById("fix");
const kept = document.getElementById("kept");
const underway = new Set();
const notKept = new Map();
let lastPost = Promise.resolve();
let posts = 0;

function isCell(element) {
  return Boolean(element.name) && element.name.startsWith("cell-");
}

function placeOf(cell) {
  const [, line, column] = cell.name.split("-");
  return { line, column };
}

function shownIn(cell) {
  const { line, column } = placeOf(cell);
  return fix.elements[`had-${line}-${column}`];
}

function isTyped() {
  const cells = [...fix.querySelectorAll('[name^="cell-"]')];
  return cells.some(isChanged) || Boolean(fix.elements.note?.value);
}

function isChanged(cell) {
  return shownIn(cell).value.replace(/\r\n?/g, "\n") !== cell.value;
}

// Sends something to be kept at once; null where it was not, and the page has said why.
async function post(path, fields, place = null) {
  posts += 1;
  const body = new URLSearchParams([["csrf", fix.elements.csrf.value], ...fields]);
  let answer;
  try {
    answer = await fetch(`${fix.dataset.to}/${path}`, { method: "POST", body, redirect: "manual" });
  } catch {
    kept.textContent = "Not saved: there is no connection. Your entries are in this page; use Save.";
    return null;
  }
  if (answer.type === "opaqueredirect") {
    kept.textContent = "You were logged out. Use Save: after the log-in your entries are here.";
    return null;
  }
  const json = (answer.headers.get("content-type") ?? "").includes("json");
  const said = json ? await answer.json() : {};
  if (answer.ok) return said;
  kept.textContent = said.conflict ? `Not saved. ${said.conflict}` : "Not saved yet. Use Save.";
  if (place && said.conflict) notKept.set(place, kept.textContent);
  return null;
}

// One after the other: each says what the page showed before it, which the answer before it decides.
function follow(work) {
  lastPost = lastPost.then(work);
  const under = lastPost.finally(() => underway.delete(under));
  underway.add(under);
}

// What was not kept stays in sight until it is.
function showSaved(place) {
  notKept.delete(place);
  kept.textContent = [...notKept.values()].at(-1) ?? `Saved at ${clock(new Date())}`;
}

async function keepCell(cell) {
  if (!isChanged(cell)) {
    if (notKept.delete(cell.name)) kept.textContent = "";
    return;
  }
  const { line, column } = placeOf(cell);
  const value = cell.value;
  const had = shownIn(cell);
  const fields = [["line", line], ["column", column], ["value", value], ["had", had.value]];
  const said = await post("cell", fields, cell.name);
  if (!said) return;
  had.value = value;
  showSaved(cell.name);
  showAnswer(said);
}

async function keepTick(tick) {
  const line = tick.name.split("-")[1];
  const wanted = tick.checked ? "1" : "0";
  const said = await post("tick", [["line", line], ["wanted", wanted]]);
  if (!said) return;
  fix.elements[`was-${line}`].value = wanted;
  showSaved(tick.name);
  showAnswer(said);
}

// The counts while somebody works, and the rows that were judged.
function showAnswer(said) {
  for (const row of said.rows) showRow(row);
  if (!said.standing) return;
  document.getElementById("standing").textContent = said.standing;
  fix.querySelector('button[value="send"]').textContent = said.send;
  for (const [label, count] of Object.entries(said.chips)) {
    const chip = document.querySelector(`[data-chip="${CSS.escape(label)}"] b`);
    if (chip) chip.textContent = count.toLocaleString("en");
  }
}

function showRow(row) {
  const why = document.getElementById(`why-${row.line}`);
  if (!why) return;
  why.textContent = row.message;
  const tick = fix.elements[`send-${row.line}`];
  const was = fix.elements[`was-${row.line}`];
  const cells = [...fix.querySelectorAll(`[name^="cell-${row.line}-"]`)];
  // The answer is older than what is being typed, which has ticked the row.
  const settled = tick.checked === (was.value === "1") && !cells.some(isChanged);
  if (settled && tick.checked !== row.going) {
    tick.checked = row.going;
    was.value = row.going ? "1" : "0";
  }
  for (const cell of cells) {
    const { column } = placeOf(cell);
    const had = shownIn(cell);
    const text = row.cells[Number(column)];
    if (!isChanged(cell) && cell !== document.activeElement && cell.value !== text) {
      cell.value = text; // somebody else changed it, or it was pasted
      had.value = text;
      fit(cell);
    }
    const wrong = row.places.includes(column);
    if (wrong) cell.setAttribute("aria-invalid", "true");
    else cell.removeAttribute("aria-invalid");
    const place = cell.closest("td, .fields > div");
    place.classList.toggle("bad-cell", wrong);
    place.classList.toggle("changed", !wrong && cell.value !== cell.dataset.was);
    for (const small of place.querySelectorAll("small")) small.remove();
  }
}

// A cell is as wide as what is typed, a row that is changed is ticked at once.
function fit(cell) {
  const least = Number(cell.dataset.least);
  if (least) cell.size = Math.min(40, Math.max(least, cell.value.length + 1));
}

function tickOf(cell) {
  const { line } = placeOf(cell);
  const tick = fix.elements[`send-${line}`];
  if (tick && !tick.checked && cell.value !== cell.dataset.was) {
    tick.checked = true;
    fix.elements[`was-${line}`].value = "1";
  }
}

// Keys. Tab goes to wrong cells alone until Esc says otherwise.
let everywhere = false;

function wrongCells() {
  return [...fix.querySelectorAll('[aria-invalid="true"]')].filter((cell) => cell.offsetParent);
}

function step(cell, way) {
  const place = (each) => (each.compareDocumentPosition(cell) & Node.DOCUMENT_POSITION_PRECEDING ? 1 : -1);
  const found = wrongCells().filter((each) => each !== cell && place(each) === way);
  return way > 0 ? found : found.reverse();
}

function goTo(cell) {
  cell.focus();
  if (cell.select) cell.select();
}

function onKey(event) {
  const cell = event.target;
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey || !isCell(cell)) return;
  const way = event.shiftKey ? -1 : 1;
  if (event.key === "Escape") everywhere = true;
  else if (event.key === "Enter" && cell.tagName !== "TEXTAREA") {
    event.preventDefault();
    everywhere = false;
    const found = step(cell, way);
    const { column } = placeOf(cell);
    const next = found.find((each) => placeOf(each).column === column) ?? found[0];
    if (next) goTo(next);
    else (fix.querySelector(".pages button:last-of-type") ?? fix.querySelector('button[value="send"]')).focus();
  } else if (event.key === "Tab" && !everywhere) {
    const [next] = step(cell, way);
    if (!next) return;
    event.preventDefault();
    goTo(next);
  }
}

// A column that was copied from a spreadsheet fills the rows below, a line for each. It ends at a row
// whose cell cannot be changed here: lines for that one or for rows below it would be refused.
async function pasteDown(cell, text) {
  const { column } = placeOf(cell);
  const rows = [...fix.querySelectorAll("tbody[data-line]")];
  const fields = [["column", column], ["text", text]];
  for (const row of rows.slice(rows.indexOf(cell.closest("tbody[data-line]")))) {
    const each = fix.elements[`cell-${row.dataset.line}-${column}`];
    if (!each) {
      fields.push(["ends_at", row.dataset.row]);
      break;
    }
    fields.push(["line", row.dataset.line], ["had", shownIn(each).value]);
  }
  const said = await post("paste", fields);
  if (!said) return;
  cell.blur();
  for (const row of said.rows) {
    const each = fix.elements[`cell-${row.line}-${column}`];
    each.value = shownIn(each).value; // what was pasted stands instead of what was being typed
  }
  showAnswer(said);
  kept.textContent = said.said;
  const undo = document.getElementById("undo");
  undo.hidden = !said.pasted;
  undo.querySelector("span").textContent = said.pasted;
  goTo(cell);
}

// Statuses: a list of the courier's words, each with its meaning. Any other text may be typed, too.
const list = document.createElement("ul");
const words = [...(document.getElementById("statuses")?.options ?? [])].map((option) => ({
  word: option.value,
  means: option.textContent,
}));
let box = null;
let typed = false;

function beginList(input) {
  input.removeAttribute("list");
  const roles = { role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": "meanings" };
  for (const [name, value] of Object.entries(roles)) input.setAttribute(name, value);
  const button = document.createElement("button");
  button.type = "button";
  button.className = "drop-down";
  button.tabIndex = -1;
  button.textContent = "▾";
  const row = input.closest("tbody[data-row]")?.dataset.row;
  button.setAttribute("aria-label", row ? `Statuses of row ${row}` : "Statuses");
  button.addEventListener("mousedown", (event) => event.preventDefault());
  button.addEventListener("click", () => {
    input.focus();
    if (box === input) closeList();
    else openList(input);
  });
  (input.closest("label") ?? input).after(button);
}

function openList(input) {
  if (!words.length) return;
  box = input;
  typed = false;
  showList();
}

function closeList() {
  if (!box) return;
  box.setAttribute("aria-expanded", "false");
  box.removeAttribute("aria-activedescendant");
  box = null;
  list.hidden = true;
}

function showList() {
  const asked = typed ? box.value.trim().toLowerCase() : "";
  const fits = words.filter(({ word, means }) => `${word} ${means}`.toLowerCase().includes(asked));
  list.replaceChildren(
    ...fits.slice(0, 100).map(({ word, means }, at) => {
      const option = document.createElement("li");
      option.id = `meaning-${at}`;
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      option.dataset.word = word;
      const said = document.createElement("small");
      said.textContent = means;
      option.append(word, said);
      return option;
    }),
  );
  // A word that is typed in full leaves nothing to choose: the list would only be in the way.
  list.hidden = !fits.length || fits.some(({ word }) => word.toLowerCase() === asked);
  box.setAttribute("aria-expanded", String(!list.hidden));
  box.removeAttribute("aria-activedescendant");
  const at = box.getBoundingClientRect();
  const below = at.bottom + list.offsetHeight < window.innerHeight || at.top < list.offsetHeight;
  list.style.top = `${window.scrollY + (below ? at.bottom + 2 : at.top - list.offsetHeight - 2)}px`;
  const room = document.documentElement.clientWidth - list.offsetWidth - 8;
  list.style.left = `${Math.max(8, Math.min(at.left, room))}px`;
}

function move(way) {
  const options = [...list.children];
  const now = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
  options[now]?.setAttribute("aria-selected", "false");
  const next = now < 0 && way < 0 ? options.length - 1 : (now + way + options.length) % options.length;
  options[next].setAttribute("aria-selected", "true");
  options[next].scrollIntoView({ block: "nearest" });
  box.setAttribute("aria-activedescendant", options[next].id);
}

function take(option) {
  const input = box;
  input.value = option.dataset.word;
  closeList();
  fit(input);
  input.dispatchEvent(new Event("change", { bubbles: true }));
  if (isCell(input)) tickOf(input);
}

// Keys of the list come first; Enter takes the marked word, and then goes on as in any cell.
function onListKey(event) {
  const input = event.target;
  if (input.getAttribute("role") !== "combobox" || event.isComposing) return;
  const marked = box === input && list.querySelector('[aria-selected="true"]');
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    if (box !== input) openList(input);
    if (!list.hidden && box) move(event.key === "ArrowDown" ? 1 : -1);
  } else if (event.key === "Escape" && box === input && !list.hidden) {
    event.stopImmediatePropagation();
    closeList();
  } else if (event.key === "Enter" && marked) {
    take(marked);
    if (!isCell(input)) event.preventDefault();
  }
}

// Who else is here, and what they changed.
let at = fix?.dataset.at ?? "";
let version = fix?.dataset.version ?? "";

async function lookAround() {
  if (document.visibilityState !== "visible") return;
  const row = document.activeElement?.closest?.("tbody[data-row]")?.dataset.row ?? "";
  const asked = new URLSearchParams({ row: /^\d{1,10}( of .{1,31})?$/.test(row) ? row : "", since: at, v: version });
  const before = posts;
  let said;
  try {
    const answer = await fetch(`${fix.dataset.to}/here?${asked}`, { redirect: "manual" });
    if (!answer.ok) return;
    said = await answer.json();
  } catch {
    return; // the bar of the page says so
  }
  if (posts !== before || underway.size) return; // it may be older than what was just typed
  ({ at, v: version } = said);
  const others = document.getElementById("others");
  const text = said.others.length ? `Also here: ${said.others.join("; ")}` : "";
  if (others.textContent !== text) others.textContent = text;
  others.hidden = !text;
  if (!said.overtaken) return;
  const overtaken = document.getElementById("overtaken");
  overtaken.replaceChildren(...said.overtaken.map((each) => Object.assign(document.createElement("li"), { textContent: each })));
  overtaken.hidden = !said.overtaken.length;
  showAnswer(said);
}

if (fix) {
  list.id = "meanings";
  list.className = "meanings";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Statuses");
  document.getElementById("main").append(list);
  document.querySelectorAll('input[list="statuses"]').forEach(beginList);
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) take(option);
  });
  document.addEventListener("keydown", onListKey, true);
  fix.addEventListener("keydown", onKey);
  fix.addEventListener("change", (event) => {
    if (isCell(event.target)) follow(() => keepCell(event.target));
    else if (event.target.name?.startsWith("send-")) follow(() => keepTick(event.target));
  });
  document.addEventListener("input", (event) => {
    const input = event.target;
    fit(input);
    if (input.form === fix && isCell(input)) {
      everywhere = false;
      tickOf(input);
    }
    if (input.getAttribute("role") === "combobox") {
      if (box !== input) openList(input);
      typed = true;
      if (box) showList();
    }
  });
  fix.addEventListener("paste", (event) => {
    const cell = event.target;
    const text = event.clipboardData?.getData("text") ?? "";
    if (!isCell(cell) || cell.tagName !== "INPUT" || !/[\r\n]./.test(text)) return;
    event.preventDefault();
    follow(() => pasteDown(cell, text));
  });
  document.addEventListener("focusout", (event) => {
    if (event.target === box) closeList();
  });
  // Whoever types before this script is loaded is caught up with.
  for (const cell of fix.querySelectorAll('[name^="cell-"]')) {
    if (cell.value === cell.defaultValue) continue;
    tickOf(cell);
    if (cell !== document.activeElement) follow(() => keepCell(cell));
  }
  let soon = 0;
  document.addEventListener("focusin", () => {
    clearTimeout(soon);
    soon = setTimeout(lookAround, 300);
  });
  setInterval(lookAround, 4000);
  // The end of a session leads every page to the log-in, but not away from what is only in this one.
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    if (event.detail.xhr.status !== 401 || !isTyped()) return;
    event.preventDefault();
    kept.textContent = "You were logged out. Use Save: after the log-in your entries are here.";
  });
  // The form says what was shown before: it goes when what is on its way is answered.
  fix.addEventListener("submit", async (event) => {
    if (!underway.size) return;
    event.preventDefault();
    await Promise.allSettled([...underway]);
    fix.requestSubmit(event.submitter);
  });
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a[href]");
    if (!link || event.defaultPrevented) return;
    document.activeElement?.blur();
    if (!underway.size || link.target || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    await Promise.allSettled([...underway]);
    location.assign(link.href);
  });
}
