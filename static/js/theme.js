// Colour theme: "system" (nothing forced), "light" or "dark". Loaded in the head without defer,
// so that the first paint has the right colours.
"use strict";
(() => {
  const root = document.documentElement;
  const key = "hub-theme";
  const read = () => {
    try {
      return localStorage.getItem(key) || "system";
    } catch {
      return "system";
    }
  };
  const show = (theme) => {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
    for (const button of document.querySelectorAll("[data-set-theme]")) {
      button.setAttribute("aria-pressed", String(button.dataset.setTheme === theme));
    }
  };

  root.dataset.js = "";
  show(read());
  document.addEventListener("DOMContentLoaded", () => show(read()));
  window.addEventListener("storage", (event) => {
    if (event.key === key) show(read());
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-set-theme]");
    if (!button) return;
    try {
      localStorage.setItem(key, button.dataset.setTheme);
    } catch {
      // Storage may be switched off; the choice then lasts as long as the page.
    }
    show(button.dataset.setTheme);
  });
})();
