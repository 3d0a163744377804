// Polls rest while the page is hidden; failed refreshes are told in the live region.
"use strict";
(() => {
  const polls = (element) => (element?.getAttribute?.("hx-trigger") || "").startsWith("every");
  const say = () => {
    const live = document.getElementById("live");
    if (live) live.textContent = document.body.dataset.refreshFailed || "";
  };

  document.addEventListener("htmx:before:request", (event) => {
    if (document.hidden && polls(event.detail?.ctx?.sourceElement)) event.preventDefault();
  });
  document.addEventListener("htmx:error", say);
  document.addEventListener("htmx:response:error", (event) => {
    if ((event.detail?.ctx?.response?.status || 0) >= 500) say();
  });
})();
