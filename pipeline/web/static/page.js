// What a page can do more with JavaScript; every page works without it.
"use strict";

document.documentElement.classList.add("js");

// Filters apply as soon as one is chosen. Arrow keys go through the choices of a closed list: Enter
// chooses, or the form's own button.
let byKeys = false;
document.addEventListener("pointerdown", () => (byKeys = false));
document.addEventListener("keydown", (event) => {
  byKeys = true;
  const form = event.target.tagName === "SELECT" && event.target.closest(".filters");
  if (form && event.key === "Enter") form.requestSubmit();
});
document.addEventListener("change", (event) => {
  const form = event.target.closest(".filters");
  if (form && event.target.tagName === "SELECT" && !byKeys) form.requestSubmit();
  if (event.target.id === "files") showChosen(event.target);
});

// Uploading: files that are dropped on the form are chosen. Too many are told before they are sent,
// so that note and choice are kept.
function showChosen(input) {
  const files = Array.from(input.files);
  const { most, mb } = input.dataset;
  const bytes = files.reduce((sum, file) => sum + file.size, 0);
  const many = files.length > Number(most) ? `${files.length} files are chosen` : "";
  const large = bytes > Number(mb) * 1024 * 1024 ? `They have ${Math.ceil(bytes / 1024 / 1024)} MB` : "";
  const wrong = many || large;
  input.setCustomValidity(wrong && `${wrong}: at most ${many ? `${most} go` : `${mb} MB go`} together. Choose fewer.`);
  if (wrong) input.reportValidity();
  const list = document.getElementById("chosen");
  list.replaceChildren(
    ...files.map((file) => {
      const item = document.createElement("li");
      item.textContent = `${file.name}, ${Math.max(file.size / 1000, 0.1).toLocaleString("en", { maximumFractionDigits: 1 })} kB`;
      return item;
    }),
  );
}

for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    const zone = event.target instanceof Element && event.target.closest("#upload");
    if (!zone) return;
    event.preventDefault();
    zone.querySelector(".zone").classList.toggle("over", kind !== "dragleave" && kind !== "drop");
    if (kind === "drop" && event.dataTransfer.files.length) {
      const input = zone.querySelector("#files");
      input.files = event.dataTransfer.files;
      showChosen(input);
    }
  });
}

document.addEventListener("htmx:xhr:progress", (event) => {
  const bar = document.getElementById("sending");
  if (!bar || event.target.id !== "upload" || !event.detail.lengthComputable) return;
  bar.hidden = false;
  bar.value = (100 * event.detail.loaded) / event.detail.total;
});

// Times are those of the page's zone, whatever the browser's.
function clock(when) {
  const timeZone = document.documentElement.dataset.zone;
  return when.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone });
}

// Ids that were copied from a column are pasted with their line ends: each becomes a space.
document.addEventListener("paste", (event) => {
  const field = event.target;
  if (!(field instanceof HTMLInputElement) || field.type !== "search") return;
  const text = event.clipboardData?.getData("text") ?? "";
  if (!/[\r\n]/.test(text)) return;
  event.preventDefault();
  const line = text.trim().split(/\s*[\r\n]+\s*/).join(" ");
  field.setRangeText(line, field.selectionStart, field.selectionEnd, "end");
});

// In the box for several ids, Enter asks; Shift+Enter begins a line.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || !event.target.matches?.(".filters textarea")) return;
  event.preventDefault();
  event.target.form.requestSubmit();
});

// What is shown may be old: said when nothing answers, and taken back when something does.
let since = null;

function offline(whether) {
  const bar = document.getElementById("offline");
  if (!bar || whether === !bar.hidden) return;
  since = whether ? new Date() : null;
  bar.hidden = !whether;
  const at = whether ? clock(since) : "";
  bar.textContent = whether ? `No connection since ${at}. What you see may be old. Trying again…` : "";
  document.documentElement.classList.toggle("stale", whether);
}

for (const kind of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(kind, (event) => {
    offline(true);
    if (event.target.id === "upload") {
      document.getElementById("sending").hidden = true;
      document.getElementById("offline").textContent =
        "The files did not arrive: there is no connection. They are still chosen; send them again when it is back.";
    }
  });
}
document.addEventListener("htmx:afterOnLoad", () => offline(false));
document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.requestConfig.verb === "get" && event.detail.xhr.status >= 500) offline(true);
});

// A strip that nobody answered for 15 seconds says nothing of now: it greys out.
let heard = Date.now();
document.addEventListener("htmx:afterOnLoad", () => (heard = Date.now()));
setInterval(() => {
  const old = document.getElementById("strip") && Date.now() - heard > 15000;
  document.documentElement.classList.toggle("stale", Boolean(old || since));
}, 1000);

// What is not easily taken back is asked first.
document.addEventListener("submit", (event) => {
  const asks = event.target.dataset.asks;
  if (asks && !window.confirm(asks)) event.preventDefault();
});

// A form that is on its way has no buttons: a second click is no second wish. The button that was
// pressed still says its word, since the form's data is gathered first.
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || event.target.hasAttribute("hx-post")) return;
  const buttons = event.target.querySelectorAll("button:not(:disabled)");
  setTimeout(() => rest(buttons, true));
});

function rest(buttons, whether) {
  for (const button of buttons) button.disabled = whether;
}

function wake(form) {
  rest(form.querySelectorAll("button:disabled"), false);
}

document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target.tagName === "FORM") rest(event.target.querySelectorAll("button"), true);
});
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.target.tagName === "FORM") wake(event.target);
});
// Back to a page that the browser kept: its forms can be sent again.
window.addEventListener("pageshow", () => document.querySelectorAll("form").forEach(wake));

// A form that is refused says so in the page; a poll that fails leaves the page as it is.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.requestConfig.verb === "post" && event.detail.xhr.status >= 400) {
    event.detail.shouldSwap = true;
  }
});

// Teaching: suggestions are taken without a new page, and what is left is counted as one chooses.
function countLeft() {
  const words = [...document.querySelectorAll("#teach-words .word")];
  const left = words.filter((word) => !word.querySelector("input:checked"));
  const rows = left.reduce((sum, word) => sum + Number(word.dataset.rows), 0);
  const several = (count, name) => `${count.toLocaleString("en")} ${name}${count === 1 ? "" : "s"}`;
  document.getElementById("left").textContent = left.length
    ? `${several(left.length, "word")} left (${several(rows, "row")}). Rows with a word that is left come back to you.`
    : "Every word has a meaning.";
}

document.addEventListener("change", (event) => {
  if (event.target.form && event.target.form.id === "teach-words") countLeft();
});

document.addEventListener("click", (event) => {
  const button = event.target.closest('#teach-words button[value="suggestions"]');
  if (!button) return;
  event.preventDefault();
  for (const choice of document.querySelectorAll("#teach-words [data-suggested]")) {
    if (!choice.closest(".word").querySelector("input:checked")) choice.checked = true;
  }
  countLeft();
  button.hidden = true;
  document.querySelector("#teach-words .word input:checked").focus();
});
