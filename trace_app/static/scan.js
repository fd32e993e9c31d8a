// Scans with the phone's camera where the browser can; typing and hand scanners work without it.
// One code is sent at once; a list takes one in each line.
const button = document.getElementById("camera");
const view = document.getElementById("view");
const field = document.querySelector(".scan");
const list = field.tagName === "TEXTAREA";

function take(code) {
  if (list) {
    const lines = field.value.split("\n").filter((line) => line.trim());
    if (lines.includes(code)) return false;
    field.value = [...lines, code, ""].join("\n");
    navigator.vibrate?.(80);
    return false;
  }
  // The same label seen for longer counts once.
  if (code === sessionStorage.getItem("scanned")) return false;
  sessionStorage.setItem("scanned", code);
  sessionStorage.setItem("camera", "on");
  field.value = code;
  field.form.requestSubmit();
  return true;
}

async function scan() {
  const detector = new BarcodeDetector({ formats: ["qr_code"] });
  try {
    view.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    button.textContent = button.dataset.failed;
    return;
  }
  button.hidden = true;
  view.hidden = false;
  await view.play();
  const look = async () => {
    const [found] = await detector.detect(view).catch(() => []);
    if (!found || !take(found.rawValue)) setTimeout(look, 120);
  };
  look();
}

if ("BarcodeDetector" in window && navigator.mediaDevices) {
  button.hidden = false;
  button.addEventListener("click", scan);
  if (!list && sessionStorage.getItem("camera") === "on") scan();
}
