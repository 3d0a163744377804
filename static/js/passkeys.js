// Passkeys and security keys: <form data-passkey="create|get"> gets its `credential` from the
// browser. Options come from `data-options`, or are fetched from `data-options-url` when asked for.
"use strict";
(() => {
  const bytes = (text) => {
    const padded = text.replace(/-/g, "+").replace(/_/g, "/");
    return Uint8Array.from(atob(padded), (char) => char.charCodeAt(0));
  };
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replace(/\+/g, "-")
      .replace(/\//g, "_")
      .replace(/=+$/, "");

  // What the page says in base64url, as the browser wants it.
  const decoded = (options) => {
    const key = structuredClone(options.publicKey);
    key.challenge = bytes(key.challenge);
    if (key.user) key.user.id = bytes(key.user.id);
    for (const list of [key.excludeCredentials, key.allowCredentials]) {
      for (const known of list || []) known.id = bytes(known.id);
    }
    return key;
  };

  const encoded = (credential) => {
    const answer = credential.response;
    const response = { clientDataJSON: text(answer.clientDataJSON) };
    for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (answer[name]) response[name] = text(answer[name]);
    }
    if (answer.getTransports) response.transports = answer.getTransports();
    return JSON.stringify({
      type: credential.type,
      id: credential.id,
      rawId: text(credential.rawId),
      authenticatorAttachment: credential.authenticatorAttachment,
      response,
      clientExtensionResults: credential.getClientExtensionResults(),
    });
  };

  const optionsOf = async (form) => {
    if (!form.dataset.optionsUrl) return JSON.parse(form.dataset.options);
    const answer = await fetch(form.dataset.optionsUrl, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(`options: ${answer.status}`);
    return (await answer.json()).request_options;
  };

  const create = async (form) => {
    const publicKey = decoded(await optionsOf(form));
    const passkey = Boolean(form.elements.passwordless?.checked);
    publicKey.authenticatorSelection = {
      ...publicKey.authenticatorSelection,
      residentKey: passkey ? "required" : "discouraged",
      requireResidentKey: passkey,
      ...(passkey ? { userVerification: "required" } : {}),
    };
    return navigator.credentials.create({ publicKey });
  };
  const get = async (form) => navigator.credentials.get({ publicKey: decoded(await optionsOf(form)) });

  const ready = Boolean(window.PublicKeyCredential && navigator.credentials);
  for (const form of ready ? document.querySelectorAll("form[data-passkey]") : []) {
    const said = form.querySelector("[data-passkey-said]");
    form.querySelector("[data-passkey-go]").hidden = false;
    form.querySelector("[data-passkey-none]").hidden = true;
    form.addEventListener("submit", async (event) => {
      if (form.elements.credential.value) return;
      event.preventDefault();
      said.textContent = "";
      try {
        const credential = await (form.dataset.passkey === "create" ? create(form) : get(form));
        form.elements.credential.value = encoded(credential);
        form.submit();
      } catch (problem) {
        // Cancelled, timed out, or no such key: browsers do not say which.
        said.textContent = form.dataset.failed;
      }
    });
  }
})();
