// Keys: "/" and Ctrl/Cmd+K go to the search box, Escape leaves it. Never inside other fields.
"use strict";
(() => {
  const typing = (element) =>
    element instanceof HTMLElement &&
    (element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName));

  document.addEventListener("keydown", (event) => {
    const search = document.querySelector("[data-hotkey-search]");
    if (!search || document.documentElement.dataset.hotkeys === "off") return;
    if (event.key === "Escape" && event.target === search) {
      search.blur();
      return;
    }
    const slash = event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey;
    const command = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey);
    if (!command && !(slash && !typing(event.target))) return;
    if (document.querySelector("dialog[open]")) return;
    event.preventDefault();
    search.focus();
    search.select();
  });
})();
