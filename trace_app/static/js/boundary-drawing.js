// Draws the boundary of a site: a grid, the land, and its corners as things to drag.
import { HEIGHT, WIDTH } from "./projection.js";

function shape(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function grid(projection) {
  const lines = [];
  for (let at = 0; at < WIDTH; at += projection.step * projection.scale) {
    lines.push(shape("path", { d: `M${at} 0V${WIDTH}M0 ${at}H${WIDTH}`, class: "grid" }));
  }
  return lines;
}

export function draw(map, corners, projection) {
  const points = corners.map(([lat, lon]) => [projection.x(lon), projection.y(lat)]);
  const outline = points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
  map.replaceChildren(
    ...grid(projection),
    shape("polygon", { points: outline, class: "land" }),
    ...points.map(([cx, cy], n) => shape("circle", { cx, cy, r: 9, "data-n": n, class: "corner" })),
  );
}

// Where on the drawing a pointer is.
export function pointOf(map, event) {
  const box = map.getBoundingClientRect();
  return [
    ((event.clientX - box.left) / box.width) * WIDTH,
    ((event.clientY - box.top) / box.height) * HEIGHT,
  ];
}
