// Choosing the lots of a record: a search over sites and lots, all of a site, all that was found, how many are chosen.
const form = document.getElementById("entry");
const byId = (id) => document.getElementById(id);
const plain = (text) => text.normalize("NFKC").toLowerCase().replace(/\s/g, "");

const boxesIn = (place) => [...place.querySelectorAll("input[name=batch_ids]")];
const sites = () => [...form.querySelectorAll(".sites-to-choose details")];
const inSight = (box) => !box.closest("li").hidden;
const found = () => sites().flatMap(boxesIn).filter(inSight);

function count() {
  const { dataset } = byId("lot-choice");
  const chosen = boxesIn(form).filter((box) => box.checked).length;
  byId("lots-chosen").hidden = false;
  byId("lots-chosen").textContent = chosen ? dataset.chosen.replace("{count}", chosen) : dataset.none;
  for (const site of sites()) {
    const boxes = boxesIn(site).filter(inSight);
    const ticked = boxes.filter((box) => box.checked).length;
    const all = site.querySelector(".all-of-site input");
    all.checked = boxes.length > 0 && ticked === boxes.length;
    all.indeterminate = ticked > 0 && ticked < boxes.length;
  }
  const button = byId("lots-all");
  const boxes = found();
  const allTicked = boxes.length > 0 && boxes.every((box) => box.checked);
  button.textContent = allTicked ? button.dataset.clear : button.dataset.all.replace("{count}", boxes.length);
}

// A site that is found by its name shows all of its lots, else those whose number is found.
function search() {
  const wanted = plain(byId("lot-search").value);
  for (const site of sites()) {
    const isNamed = plain(site.querySelector("summary").firstChild.textContent).includes(wanted);
    for (const line of site.querySelectorAll("li")) line.hidden = !isNamed && !plain(line.textContent).includes(wanted);
    const some = boxesIn(site).some(inSight);
    site.hidden = !some;
    if (wanted) site.open = some;
  }
  byId("no-lot-found").hidden = !wanted || found().length > 0;
  count();
}

function tick(boxes, on) {
  for (const box of boxes) box.checked = on;
  count();
}

function begin() {
  if (!byId("lot-choice")) return;
  for (const hidden of form.querySelectorAll(".find-lots, .all-of-site")) hidden.hidden = false;
  for (const site of sites()) if (boxesIn(site).some((box) => box.checked)) site.open = true;
  search();
  const ticked = boxesIn(form).find((box) => box.checked);
  const list = form.querySelector(".sites-to-choose");
  // The list alone is scrolled, not the page.
  const topOf = (element) => element.getBoundingClientRect().top;
  if (ticked) list.scrollTop += topOf(ticked) - topOf(list) - list.clientHeight / 3;
}

form.addEventListener("input", ({ target }) => {
  if (target.id === "lot-search") search();
});
form.addEventListener("change", ({ target }) => {
  if (target.closest(".all-of-site")) tick(boxesIn(target.closest("details")).filter(inSight), target.checked);
  else if (target.name === "batch_ids") count();
});
form.addEventListener("click", ({ target }) => {
  if (target.id === "lots-all") tick(found(), !found().every((box) => box.checked));
});
// Who presses Enter in the search has not finished the form.
form.addEventListener("keydown", (event) => {
  if (event.target.id === "lot-search" && event.key === "Enter") event.preventDefault();
});
form.addEventListener("filled", begin);
form.addEventListener("reset", () => setTimeout(begin));
begin();
