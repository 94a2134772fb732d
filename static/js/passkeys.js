// Passkeys: <form data-passkey="create"> or "get" asks the browser for one, and is sent with what it answers. What the
// browser is asked stands in #passkey-options, or comes from the form's own address.

const trouble = document.querySelector("[data-passkey-trouble]");

async function optionsFor(form) {
  const given = document.getElementById("passkey-options");
  if (given) return JSON.parse(given.textContent).publicKey;
  const response = await fetch(form.action, { headers: { Accept: "application/json" } });
  if (response.status === 429) throw new Error("Too many attempts. Wait a minute, then try again.");
  if (!response.ok) throw new Error("The desk did not answer. Reload the page.");
  return (await response.json()).request_options.publicKey;
}

async function ask(form) {
  if (!window.PublicKeyCredential?.parseRequestOptionsFromJSON) {
    throw new Error("This browser cannot use passkeys here. They need HTTPS and a current browser.");
  }
  const options = await optionsFor(form);
  if (form.dataset.passkey === "create") {
    return navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) });
  }
  return navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.addEventListener("submit", async (event) => {
    const answer = form.elements.credential;
    if (answer.value) return;
    event.preventDefault();
    trouble.hidden = true;
    try {
      answer.value = JSON.stringify(await ask(form));
      form.requestSubmit();
    } catch (error) {
      trouble.textContent =
        error.name === "NotAllowedError" ? "The passkey was not used: you cancelled, or it took too long." : error.message;
      trouble.hidden = false;
    }
  });
}
