// Draws an area round sites: each tap is a corner. The text stays what is sent.
const map = document.getElementById("area-map"), land = document.getElementById("area-land"), text = document.getElementById("area");

if (map && text) {
  const west = Number(map.dataset.west), north = Number(map.dataset.north);
  const lines = () => text.value.split("\n").filter((line) => line.trim());
  const draw = () => {
    const corners = lines().map((line) => line.split(/[,，\s]+/).filter(Boolean).map(Number)).filter((pair) => pair.length === 2 && pair.every(Number.isFinite));
    land.setAttribute("points", corners.map(([lat, lon]) => `${(lon - west).toFixed(5)},${(north - lat).toFixed(5)}`).join(" "));
  };
  const write = (corners) => { text.value = corners.join("\n"); draw(); };
  map.addEventListener("click", (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(map.getScreenCTM().inverse());
    write([...lines(), `${(north - at.y).toFixed(6)}, ${(west + at.x).toFixed(6)}`]);
  });
  document.getElementById("area-tools").hidden = false;
  document.getElementById("area-back").addEventListener("click", () => write(lines().slice(0, -1)));
  document.getElementById("area-clear").addEventListener("click", () => write([]));
  text.addEventListener("input", draw);
  draw();
}
