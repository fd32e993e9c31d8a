// A chosen stock lot fills in the record and locks what it settles; the bottle's code or registration number finds one.
import { meansNumber } from "./bottle-code.js";

const form = document.getElementById("entry");
const byId = (id) => document.getElementById(id);
const words = () => byId("stock-choice").dataset;
const select = () => byId("stock_id");

function unlock(empty) {
  for (const input of form.querySelectorAll("[data-of-stock]")) {
    input.readOnly = false;
    delete input.dataset.ofStock;
    if (empty) input.value = "";
  }
}

function fillIn(values, lock) {
  for (const [name, value] of Object.entries(values)) {
    const input = byId(name);
    if (!input) continue;
    input.value = value;
    if (!lock) continue;
    input.readOnly = true;
    input.dataset.ofStock = "";
  }
}

function chooseUnit(unit) {
  const units = byId("dose_unit");
  if (unit && [...units.options].some((option) => option.value === unit)) units.value = unit;
}

// `empty` where another choice than before leaves nothing of the one before.
function show(empty) {
  byId("bottle").hidden = false;
  if (!select()) return;
  unlock(empty);
  const { fills, dose, unit } = select().selectedOptions[0].dataset;
  if (fills) fillIn(JSON.parse(fills), true);
  if (fills && (empty || !byId("dose").value)) chooseUnit(unit);
  const told = dose ? words().dose.replace("{dose}", dose) : "";
  byId("stock-says").textContent = fills ? `${words().filled}${told}` : "";
  byId("stock-says").hidden = byId("stock-other").hidden = !fills;
}

function choose(option) {
  select().value = option.value;
  show(true);
}

const say = (text) => {
  byId("bottle-says").textContent = text;
};

// The names of the fields that a number of the catalogue filled in.
let filled = [];

async function lookUp(code) {
  let found;
  try {
    const path = `${words().finds}${encodeURIComponent(code)}`;
    const answer = await fetch(path, { headers: { Accept: "application/json" } });
    found = answer.ok ? (await answer.json()).found : undefined;
  } catch {
    found = undefined;
  }
  if (found === undefined) return say(words().away);
  // What an earlier number found is not this one's.
  if (select() && select().value) {
    select().value = "";
    show(true);
  }
  for (const name of filled) fillIn({ [name]: "" }, false);
  filled = [];
  if (!found) return say(words().none);
  filled = Object.keys(found.fills);
  fillIn(found.fills, false);
  chooseUnit(found.unit);
  return say(words().found.replace("{name}", found.fills.product_name));
}

function find() {
  const code = byId("bottle-code").value.trim();
  if (!code) return undefined;
  const means = meansNumber(code);
  const options = select() ? [...select().options].filter(({ dataset }) => dataset.fills) : [];
  const alike = options.filter(({ dataset }) => means(JSON.parse(dataset.fills).registration_number || ""));
  if (!alike.length) return lookUp(code);
  // What can be used stands first.
  choose(alike[0]);
  return say(alike.length > 1 ? words().several : alike[0].textContent);
}

form.addEventListener("change", ({ target }) => {
  if (target.id === "stock_id") show(true);
});
form.addEventListener("click", ({ target }) => {
  if (target.id === "bottle-find") find();
  if (target.closest("#stock-other")) {
    select().value = "";
    show(true);
    select().focus();
  }
});
form.addEventListener("keydown", (event) => {
  if (event.target.id !== "bottle-code" || event.key !== "Enter") return;
  event.preventDefault();
  find();
});
form.addEventListener("scanned", find);
// The form is filled in anew by what was kept, by a refusal, or by nothing.
form.addEventListener("filled", () => show(false));
form.addEventListener("reset", () => setTimeout(() => show(false)));
show(false);
