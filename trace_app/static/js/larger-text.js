// Larger text, once chosen on a trace page, stays chosen on this device.
const KEY = "larger-text";
const box = document.getElementById("big");

try {
  box.checked = localStorage.getItem(KEY) === "yes";
  box.addEventListener("change", () => localStorage.setItem(KEY, box.checked ? "yes" : "no"));
} catch {
  // A browser that keeps nothing shows the page as it is.
}
