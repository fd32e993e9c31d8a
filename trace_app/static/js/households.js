// The choice of a household at the scales: a few letters of its name, number or village leave those that have them.
const list = document.querySelector(".household-list");
const form = list && list.closest("form");

function show(text) {
  const wanted = text.trim().toLowerCase();
  for (const line of form.querySelectorAll(".household-list li")) {
    line.hidden = !line.textContent.toLowerCase().includes(wanted);
  }
}

function nameEntry() {
  const chosen = form.querySelector("input[name=household_id]:checked");
  if (!chosen || !form.dataset.title) return;
  form.dataset.heading = form.dataset.heading || form.dataset.title;
  form.dataset.title = `${form.dataset.heading} ${chosen.nextElementSibling.firstChild.textContent.trim()}`;
}

function begin() {
  const search = document.getElementById("household-search");
  if (search) search.hidden = false;
}

if (form) {
  // The fields of a form that came back are new ones: they are heard of by way of the form.
  form.addEventListener("input", (event) => {
    if (event.target.id === "household-search") show(event.target.value);
    if (event.target.name === "household_id") nameEntry();
  });
  form.addEventListener("reset", () => show(""));
  new MutationObserver(begin).observe(form, { childList: true });
  begin();
}
