// Suggestions below a search box (a combobox): <input data-suggest="ID of the listbox">. htmx fills
// the box; arrows move, Enter opens, Escape closes. Without scripts the form just searches.
"use strict";
(() => {
  const box = (input) => document.getElementById(input.dataset.suggest);
  const options = (input) => [...box(input).querySelectorAll("[role=option]")];

  for (const input of document.querySelectorAll("[data-suggest]")) {
    input.setAttribute("role", "combobox");
    input.setAttribute("aria-autocomplete", "list");
    input.setAttribute("aria-controls", input.dataset.suggest);
    input.setAttribute("aria-expanded", "false");
  }

  const show = (input, open) => {
    box(input).hidden = !open;
    input.setAttribute("aria-expanded", String(open));
    if (!open) mark(input, null);
  };

  const mark = (input, chosen) => {
    for (const option of options(input)) {
      option.setAttribute("aria-selected", String(option === chosen));
    }
    if (chosen) {
      input.setAttribute("aria-activedescendant", chosen.id);
      chosen.scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  };

  const chosenOf = (input) => box(input).querySelector("[aria-selected=true]");

  const move = (input, step) => {
    const all = options(input);
    if (!all.length) return;
    show(input, true);
    const at = all.indexOf(chosenOf(input));
    // One place is none of them: the text as it was typed.
    const next = at < 0 && step < 0 ? all.length - 1 : at + step;
    mark(input, all[next] || null);
  };

  document.addEventListener("htmx:after:swap", () => {
    const input = document.activeElement;
    if (!input?.dataset?.suggest) return;
    show(input, options(input).length > 0);
  });
  document.addEventListener("input", (event) => {
    if (event.target.dataset?.suggest && !event.target.value.trim()) show(event.target, false);
  });
  document.addEventListener("focusout", (event) => {
    const input = event.target;
    if (input.dataset?.suggest && !box(input).contains(event.relatedTarget)) {
      // A click on an option comes after the focus has gone.
      setTimeout(() => show(input, false), 150);
    }
  });

  // Before other listeners: Escape first closes this, and only then leaves the field.
  document.addEventListener(
    "keydown",
    (event) => {
      const input = event.target;
      if (!input.dataset?.suggest || event.isComposing) return;
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        move(input, event.key === "ArrowDown" ? 1 : -1);
      } else if (event.key === "Enter" && chosenOf(input)) {
        event.preventDefault();
        chosenOf(input).click();
      } else if (event.key === "Escape" && !box(input).hidden) {
        event.preventDefault();
        event.stopPropagation();
        show(input, false);
      }
    },
    true,
  );
})();
