// Scans with the phone's camera; typing and hand scanners work without it. Where the browser has no reader of its own,
// one is loaded when it is asked for (zxing-cpp as WebAssembly), if the page names it.
// One code is sent at once; a list takes one in each line; a page that says data-told is told of the code alone.
import { load } from "./load-script.js";

const button = document.getElementById("camera");
const view = document.getElementById("view");
const field = document.querySelector(".scan");
const list = field.tagName === "TEXTAREA";
const told = "told" in button.dataset;
const once = told || "once" in button.dataset;

// The camera is put away, and may be asked for again.
function tell() {
  for (const track of view.srcObject.getTracks()) track.stop();
  view.srcObject = null;
  view.hidden = true;
  button.hidden = false;
  button.disabled = false;
  field.dispatchEvent(new Event("scanned", { bubbles: true }));
}

function take(code) {
  if (list) {
    const lines = field.value.split("\n").filter((line) => line.trim());
    if (lines.includes(code)) return false;
    field.value = [...lines, code, ""].join("\n");
    if (navigator.vibrate) navigator.vibrate(80);
    return false;
  }
  // The same label seen for longer counts once.
  if (!once && code === sessionStorage.getItem("scanned")) return false;
  if (!once) {
    sessionStorage.setItem("scanned", code);
    sessionStorage.setItem("camera", "on");
  }
  field.value = code;
  if (told) tell();
  else field.form.requestSubmit();
  return true;
}

const textOf = (found, name) => (found.length ? found[0][name] : undefined);

// A function from what the camera sees to the text of a symbol in it, or nothing.
async function reader() {
  if ("BarcodeDetector" in window) {
    const detector = new BarcodeDetector({ formats: ["qr_code"] });
    return async () => textOf(await detector.detect(view).catch(() => []), "rawValue");
  }
  await load(button.dataset.reader);
  const { ZXingWASM } = window;
  await ZXingWASM.prepareZXingModule({
    overrides: { locateFile: () => button.dataset.wasm },
    fireImmediately: true,
  });
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  return async () => {
    const scale = Math.min(1, 960 / Math.max(view.videoWidth, view.videoHeight));
    canvas.width = view.videoWidth * scale;
    canvas.height = view.videoHeight * scale;
    context.drawImage(view, 0, 0, canvas.width, canvas.height);
    const picture = context.getImageData(0, 0, canvas.width, canvas.height);
    return textOf(await ZXingWASM.readBarcodes(picture, { formats: ["QRCode"], maxNumberOfSymbols: 1 }), "text");
  };
}

async function scan() {
  let read;
  button.disabled = true;
  try {
    view.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    read = await reader();
  } catch {
    if (view.srcObject) view.srcObject.getTracks().forEach((track) => track.stop());
    button.textContent = button.dataset.failed;
    return;
  }
  button.hidden = true;
  view.hidden = false;
  await view.play();
  const look = async () => {
    const found = await read();
    if (!found || !take(found)) setTimeout(look, 120);
  };
  look();
}

if (navigator.mediaDevices && ("BarcodeDetector" in window || button.dataset.reader)) {
  button.hidden = false;
  button.addEventListener("click", scan);
  if (!list && !once && sessionStorage.getItem("camera") === "on") scan();
}
