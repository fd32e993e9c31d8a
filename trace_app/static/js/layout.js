// Shows the label as it is being changed, and lets boxes be dragged; the form works without it.
const preview = document.getElementById("preview");
const form = preview.closest("form");
const faults = document.getElementById("faults");
let timer;
let running;

function faultLine(text) {
  const item = document.createElement("li");
  item.className = "error";
  item.textContent = text;
  return item;
}

async function look() {
  if (running) running.abort();
  running = new AbortController();
  try {
    const body = new FormData(form);
    const answer = await fetch(preview.dataset.url, { method: "POST", body, signal: running.signal });
    if (!answer.ok) return;
    const found = await answer.json();
    if (found.svg) preview.innerHTML = found.svg;
    faults.replaceChildren(...found.faults.map(faultLine));
  } catch (error) {
    if (error.name !== "AbortError") document.getElementById("look").hidden = false;
  }
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(look, 250);
}

form.addEventListener("input", soon);
document.getElementById("look").hidden = true;
document.getElementById("drag-hint").hidden = false;

const value = (name) => (form.elements[name] ? parseFloat(form.elements[name].value) || 0 : 0);

// What lies under a point of the label, given in millimetres: the names of its inputs for left and top.
function under(x, y) {
  for (const box of form.querySelectorAll("details.box")) {
    const name = `boxes-${box.dataset.box}-`;
    const left = value(`${name}x`);
    const top = value(`${name}y`);
    if (x >= left && x <= left + value(`${name}width`) && y >= top && y <= top + value(`${name}height`)) {
      return { x: `${name}x`, y: `${name}y`, box };
    }
  }
  return { x: "symbol_x", y: "symbol_y" };
}

preview.addEventListener("pointerdown", (event) => {
  const svg = preview.querySelector("svg");
  if (!svg) return;
  event.preventDefault();
  const frame = svg.getBoundingClientRect();
  const scale = preview.dataset.width / frame.width;
  const from = [(event.clientX - frame.left) * scale, (event.clientY - frame.top) * scale];
  const names = under(...from);
  const at = [value(names.x), value(names.y)];
  if (names.box) names.box.open = true;
  preview.setPointerCapture(event.pointerId);
  const move = (now) => {
    const to = [(now.clientX - frame.left) * scale, (now.clientY - frame.top) * scale];
    form.elements[names.x].value = Math.max(0, at[0] + to[0] - from[0]).toFixed(2);
    form.elements[names.y].value = Math.max(0, at[1] + to[1] - from[1]).toFixed(2);
    soon();
  };
  preview.addEventListener("pointermove", move);
  preview.addEventListener("pointerup", () => preview.removeEventListener("pointermove", move), { once: true });
});
