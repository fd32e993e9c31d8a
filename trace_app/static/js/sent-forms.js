// Who goes back to a form after sending it gets the page anew, with a key of its own for each form, while the browser
// puts back what was typed. A form that was sent from here keeps the key that it was sent with: sent once more as it
// stands, it is known for the same.
const KEYS = "sentForms";

function keys() {
  return (history.state && history.state[KEYS]) || {};
}

function nameOf(form) {
  return `${form.getAttribute("action") || ""} ${Array.from(document.forms).indexOf(form)}`;
}

for (const form of document.forms) {
  const field = form.elements.namedItem("form_key");
  const sent = keys()[nameOf(form)];
  if (field && sent) field.value = sent;
}

document.addEventListener("submit", (event) => {
  const field = event.target.elements.namedItem("form_key");
  if (event.defaultPrevented || !field) return;
  const sent = Object.assign({}, keys(), { [nameOf(event.target)]: field.value });
  history.replaceState(Object.assign({}, history.state, { [KEYS]: sent }), "");
});
