// Keys: "/" and Ctrl/Cmd+K go to the search box, Escape leaves it; a letter follows the link with
// that data-hotkey. Never inside other fields.
"use strict";
(() => {
  const typing = (element) =>
    element instanceof HTMLElement &&
    (element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName));

  document.addEventListener("keydown", (event) => {
    const search = document.querySelector("[data-hotkey-search]");
    if (document.documentElement.dataset.hotkeys === "off") return;
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (/^[a-z]$/.test(event.key) && plain && !typing(event.target)) {
      const link = document.querySelector(`[data-hotkey="${event.key}"]`);
      if (link && !document.querySelector("dialog[open]")) link.click();
      return;
    }
    if (!search) return;
    if (event.key === "Escape" && event.target === search) {
      search.blur();
      return;
    }
    const slash = event.key === "/" && plain;
    const command = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey);
    if (!command && !(slash && !typing(event.target))) return;
    if (document.querySelector("dialog[open]")) return;
    event.preventDefault();
    search.focus();
    search.select();
  });
})();
