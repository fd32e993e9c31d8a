// Draws a site's boundary: corners by tapping, dragging, or walking with the phone. The text stays what is saved.
const text = document.getElementById("boundary"), map = document.getElementById("map");
const latitude = document.getElementById("latitude"), longitude = document.getElementById("longitude");
const DEGREE = 111320, SIZE = 400, MU = 2000 / 3;
let corners = [], metres = 400, middle = null, dragged = -1;

const make = (name, values) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(values)) made.setAttribute(key, value);
  return made;
};

function read() {
  corners = text.value.split("\n").map((line) => line.split(/[,，;；\s]+/).filter(Boolean).map(Number)).filter((pair) => pair.length === 2 && pair.every(Number.isFinite));
}

function place() {
  const lat = Number(latitude.value), lon = Number(longitude.value);
  middle = corners.length
    ? [0, 1].map((axis) => (Math.min(...corners.map((c) => c[axis])) + Math.max(...corners.map((c) => c[axis]))) / 2)
    : latitude.value && longitude.value ? [lat, lon] : null;
  if (corners.length && middle) {
    const span = Math.max(...corners.map((c) => Math.max(Math.abs(c[0] - middle[0]) * DEGREE, Math.abs(c[1] - middle[1]) * DEGREE * Math.cos(middle[0] * Math.PI / 180))));
    metres = Math.max(100, span * 3);
  }
}

const toX = (lon) => SIZE / 2 + (lon - middle[1]) * DEGREE * Math.cos(middle[0] * Math.PI / 180) / metres * SIZE;
const toY = (lat) => SIZE * 0.375 - (lat - middle[0]) * DEGREE / metres * SIZE;
const toCorner = (x, y) => [
  middle[0] - (y - SIZE * 0.375) / SIZE * metres / DEGREE,
  middle[1] + (x - SIZE / 2) / SIZE * metres / DEGREE / Math.cos(middle[0] * Math.PI / 180),
];

function area() {
  if (corners.length < 3) return 0;
  const scale = DEGREE * Math.cos(middle[0] * Math.PI / 180);
  let sum = 0;
  corners.forEach(([lat, lon], n) => {
    const [nextLat, nextLon] = corners[(n + 1) % corners.length];
    sum += lon * scale * nextLat * DEGREE - nextLon * scale * lat * DEGREE;
  });
  return Math.abs(sum) / 2 / MU;
}

function draw() {
  map.replaceChildren();
  document.getElementById("map-tools").hidden = !middle;
  map.toggleAttribute("hidden", !middle);
  if (!middle) return;
  const step = 10 ** Math.floor(Math.log10(metres / 3));
  for (let at = 0; at < SIZE; at += step / metres * SIZE) {
    map.append(make("path", { d: `M${at} 0V${SIZE}M0 ${at}H${SIZE}`, class: "grid" }));
  }
  map.append(make("polygon", { points: corners.map(([lat, lon]) => `${toX(lon).toFixed(1)},${toY(lat).toFixed(1)}`).join(" "), class: "land" }));
  corners.forEach(([lat, lon], n) => map.append(make("circle", { cx: toX(lon), cy: toY(lat), r: 9, "data-n": n, class: "corner" })));
  document.getElementById("map-says").textContent = map.dataset.says.replace("{step}", step).replace("{area}", area().toFixed(2));
}

function write() {
  text.value = corners.map(([lat, lon]) => `${lat.toFixed(6)}, ${lon.toFixed(6)}`).join("\n");
  draw();
}

function pointed(event) {
  const box = map.getBoundingClientRect();
  return toCorner((event.clientX - box.left) / box.width * SIZE, (event.clientY - box.top) / box.height * SIZE * 0.75);
}

map.addEventListener("pointerdown", (event) => {
  const at = event.target.dataset.n;
  dragged = at === undefined ? corners.push(pointed(event)) - 1 : Number(at);
  map.setPointerCapture(event.pointerId);
  write();
});
map.addEventListener("pointermove", (event) => {
  if (dragged < 0) return;
  corners[dragged] = pointed(event);
  write();
});
map.addEventListener("pointerup", () => { dragged = -1; });
document.getElementById("map-undo").addEventListener("click", () => { corners.pop(); write(); });
document.getElementById("map-use-area").addEventListener("click", () => { document.getElementById("area_mu").value = area().toFixed(2); });
const walk = document.getElementById("map-walk");
if (navigator.geolocation && window.isSecureContext) {
  walk.hidden = false;
  walk.addEventListener("click", () => navigator.geolocation.getCurrentPosition(({ coords }) => {
    corners.push([coords.latitude, coords.longitude]);
    place();
    write();
  }, () => { walk.textContent = walk.dataset.failed; }, { enableHighAccuracy: true, timeout: 15000 }));
}
for (const input of [text, latitude, longitude]) input.addEventListener("change", () => { read(); place(); draw(); });
read();
place();
draw();
