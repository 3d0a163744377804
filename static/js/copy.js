// Copy buttons: <button class="copy" data-copy="text">. The live region says what happened.
"use strict";
(() => {
  // Pages served over plain HTTP have no clipboard API.
  const copyBySelection = (text, near) => {
    const area = document.createElement("textarea");
    area.className = "visually-hidden";
    area.value = text;
    area.readOnly = true;
    near.after(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    near.focus();
    return done;
  };

  const copy = async (text, near) => {
    if (navigator.clipboard && window.isSecureContext) {
      try {
        await navigator.clipboard.writeText(text);
        return true;
      } catch {
        // Refused by the browser: try the old way.
      }
    }
    return copyBySelection(text, near);
  };

  const say = (text) => {
    const live = document.getElementById("live");
    if (!live) return;
    live.textContent = "";
    requestAnimationFrame(() => {
      live.textContent = text;
    });
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const done = await copy(button.dataset.copy, button);
    const words = document.body.dataset;
    say(done ? words.copied : words.copyFailed);
    button.dataset.state = done ? "done" : "failed";
    setTimeout(() => delete button.dataset.state, 1600);
  });
})();
