// Draws an area round sites: each tap is a corner. The text stays what is sent.
import { cornersOf, lineOf, linesOf } from "./corners.js";

const map = document.getElementById("area-map");
const land = document.getElementById("area-land");
const text = document.getElementById("area");

function follow() {
  const west = Number(map.dataset.west);
  const north = Number(map.dataset.north);
  const draw = () => {
    const points = cornersOf(text.value).map(([lat, lon]) => `${(lon - west).toFixed(5)},${(north - lat).toFixed(5)}`);
    land.setAttribute("points", points.join(" "));
  };
  const write = (lines) => {
    text.value = lines.join("\n");
    draw();
  };
  map.addEventListener("click", (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(map.getScreenCTM().inverse());
    write([...linesOf(text.value), lineOf([north - at.y, west + at.x])]);
  });
  document.getElementById("area-tools").hidden = false;
  document.getElementById("area-back").addEventListener("click", () => write(linesOf(text.value).slice(0, -1)));
  document.getElementById("area-clear").addEventListener("click", () => write([]));
  text.addEventListener("input", draw);
  draw();
}

if (map && text) follow();
