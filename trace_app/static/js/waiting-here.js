// What was weighed on this phone into the lot of the page and has not been sent: the sums of the page are without it.
const FACTORS = { "": 1, 公斤: 1, 千克: 1, kg: 1, 斤: 0.5, 市斤: 0.5, 吨: 1000, t: 1000, 克: 0.001, g: 0.001 };

// A weight as it was typed, in the lot's unit; undefined where that can't be told.
export function amountOf(text, unit) {
  const found = /^([0-9][0-9,]*(?:\.[0-9]+)?)\s*(\D*)$/.exec(String(text).normalize("NFKC").trim());
  if (!found) return undefined;
  const number = Number(found[1].replace(/,/g, ""));
  const said = found[2].trim().toLowerCase();
  if (!said) return number;
  return unit === "kg" && said in FACTORS ? number * FACTORS[said] : undefined;
}

export function sumOf(texts, unit) {
  const amounts = texts.map((text) => amountOf(text, unit));
  return amounts.includes(undefined) ? undefined : Math.round(amounts.reduce((sum, one) => sum + one, 0) * 1000) / 1000;
}

const valueOf = (entry, name) => (entry.fields.find(([field]) => field === name) || [])[1] || "";

// In words: one sum, or what was typed one by one.
function inWords(entries, { unit, unitName }) {
  const texts = entries.map((entry) => valueOf(entry, "quantity"));
  const sum = sumOf(texts, unit);
  return sum === undefined ? texts.join(" + ") : `${sum} ${unitName}`;
}

function markHouseholds(entries, data) {
  for (const old of document.querySelectorAll(".waits-here")) old.remove();
  for (const id of new Set(entries.map((entry) => valueOf(entry, "household_id")))) {
    const label = document.querySelector(`label[for="household-${CSS.escape(id)}"]`);
    if (!label) continue;
    const mark = document.createElement("small");
    mark.className = "waits-here";
    const own = entries.filter((entry) => valueOf(entry, "household_id") === id);
    mark.textContent = ` + ${inWords(own, data)} ${data.waiting}`;
    label.append(mark);
  }
}

export async function showWaiting(place, outbox) {
  const mine = (entry) => entry.user === document.body.dataset.user && entry.url === location.pathname;
  const found = (await outbox.entries()).filter(mine);
  const refused = found.filter((entry) => entry.state === "refused");
  const waiting = found.filter((entry) => entry.state !== "refused");
  place.hidden = !found.length;
  const [sum, wrong] = place.querySelectorAll("span");
  sum.textContent = waiting.length ? place.dataset.sum.replace("{amount}", inWords(waiting, place.dataset)) : "";
  wrong.textContent = refused.length ? place.dataset.refused.replace("{count}", refused.length) : "";
  markHouseholds(waiting, place.dataset);
}
