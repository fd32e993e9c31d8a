// Has the browser make or show a passkey, and sends what it answers with the button's form (W3C Web Authentication).
const bytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
const known = (list) => (list || []).map((key) => ({ ...key, id: bytes(key.id) }));

// Browsers do this by themselves since 2024 (parseRequestOptionsFromJSON, toJSON); phones of before do not.
function asked(question) {
  const options = { ...question, challenge: bytes(question.challenge) };
  if (question.user) options.user = { ...question.user, id: bytes(question.user.id) };
  if (question.excludeCredentials) options.excludeCredentials = known(question.excludeCredentials);
  if (question.allowCredentials) options.allowCredentials = known(question.allowCredentials);
  return options;
}

function answered(credential) {
  const response = { clientDataJSON: text(credential.response.clientDataJSON) };
  for (const part of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[part]) response[part] = text(credential.response[part]);
  }
  return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response });
}

async function press(button, error) {
  button.disabled = true;
  error.hidden = true;
  try {
    const publicKey = asked(JSON.parse(button.dataset.question));
    const credential = await navigator.credentials[button.dataset.passkey]({ publicKey });
    button.form.elements[button.dataset.into].value = answered(credential);
    // Fields for a code may stay empty.
    button.form.noValidate = true;
    button.form.requestSubmit();
  } catch (problem) {
    error.textContent = problem.name === "InvalidStateError" ? button.dataset.there : button.dataset.refused;
    error.hidden = false;
    button.disabled = false;
  }
}

if (window.PublicKeyCredential) {
  for (const button of document.querySelectorAll("[data-passkey]")) {
    const error = button.form.querySelector("[data-passkey-error]");
    button.form.querySelector("[data-passkey-none]").hidden = true;
    button.hidden = false;
    button.addEventListener("click", () => press(button, error));
  }
}
