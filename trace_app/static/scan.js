// Scans with the phone's camera where the browser can; typing and hand scanners work without it.
const button = document.getElementById("camera");
const view = document.getElementById("view");
const input = document.querySelector("input.scan");

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
    // The same label seen for longer counts once.
    if (found && found.rawValue !== sessionStorage.getItem("scanned")) {
      sessionStorage.setItem("scanned", found.rawValue);
      sessionStorage.setItem("camera", "on");
      input.value = found.rawValue;
      input.form.requestSubmit();
      return;
    }
    setTimeout(look, 120);
  };
  look();
}

if ("BarcodeDetector" in window && navigator.mediaDevices) {
  button.hidden = false;
  button.addEventListener("click", scan);
  if (sessionStorage.getItem("camera") === "on") scan();
}
