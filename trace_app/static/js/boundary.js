// A site's boundary: corners by tapping, dragging, or walking with the phone. The text stays what is saved.
import { draw, pointOf } from "./boundary-drawing.js";
import { cornersOf, lineOf } from "./corners.js";
import { areaMu, Projection } from "./projection.js";

const byId = (id) => document.getElementById(id);
const text = byId("boundary");
const map = byId("map");
const latitude = byId("latitude");
const longitude = byId("longitude");
const NONE = -1;

let corners = [];
let projection = null;
let dragged = NONE;

// The drawing stays where it is while corners are moved, so that they stay under the finger.
function place() {
  const numbers = [latitude.value, longitude.value].map((value) => (value.trim() ? Number(value) : NaN));
  const typed = numbers.every(Number.isFinite) ? numbers : null;
  projection = Projection.about(corners, typed);
}

function show() {
  byId("map-tools").hidden = !projection;
  map.toggleAttribute("hidden", !projection);
  if (!projection) {
    map.replaceChildren();
    return;
  }
  draw(map, corners, projection);
  const says = map.dataset.says.replace("{step}", projection.step).replace("{area}", areaMu(corners).toFixed(2));
  byId("map-says").textContent = says;
}

function read() {
  corners = cornersOf(text.value);
  place();
  show();
}

function write() {
  text.value = corners.map(lineOf).join("\n");
  show();
}

const cornerAt = (event) => projection.corner(...pointOf(map, event));

map.addEventListener("pointerdown", (event) => {
  const at = event.target.dataset.n;
  dragged = at === undefined ? corners.push(cornerAt(event)) - 1 : Number(at);
  map.setPointerCapture(event.pointerId);
  write();
});
map.addEventListener("pointermove", (event) => {
  if (dragged === NONE) return;
  corners[dragged] = cornerAt(event);
  write();
});
map.addEventListener("pointerup", () => {
  dragged = NONE;
});
byId("map-undo").addEventListener("click", () => {
  corners.pop();
  write();
});
byId("map-use-area").addEventListener("click", () => {
  byId("area_mu").value = areaMu(corners).toFixed(2);
});

const walk = byId("map-walk");
if (navigator.geolocation && window.isSecureContext) {
  const here = ({ coords }) => {
    corners.push([coords.latitude, coords.longitude]);
    place();
    write();
  };
  const failed = () => {
    walk.textContent = walk.dataset.failed;
  };
  walk.hidden = false;
  walk.addEventListener("click", () => {
    navigator.geolocation.getCurrentPosition(here, failed, { enableHighAccuracy: true, timeout: 15000 });
  });
}
// While one types, not when the field is left: else the page would move under the finger that taps on save.
for (const input of [text, latitude, longitude]) input.addEventListener("input", read);
read();
