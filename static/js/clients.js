// Command bars: the chosen client (docker, podman, …) holds for every bar and the next visit.
"use strict";
(() => {
  const key = "hub-client";
  const choose = (client) => {
    for (const input of document.querySelectorAll("[data-command-bar] input[type=radio]")) {
      if (input.value === client) input.checked = true;
    }
  };
  const restore = () => {
    try {
      const client = localStorage.getItem(key);
      if (client) choose(client);
    } catch {
      // Without storage every page starts with the first client.
    }
  };

  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-command-bar] input[type=radio]")) return;
    choose(event.target.value);
    try {
      localStorage.setItem(key, event.target.value);
    } catch {
      // See above.
    }
  });
  document.addEventListener("htmx:after:swap", restore);
  restore();
})();
