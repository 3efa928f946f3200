// What a page can do more with JavaScript; every page works without it.
"use strict";

// A session that has ended is told by the server with a header htmx obeys; nothing to do here.
document.addEventListener("change", (event) => {
  const form = event.target.closest(".filters");
  if (form && event.target.tagName === "SELECT") form.requestSubmit();
});
