// Adds what the phone's camera reads to a list of codes, one in each line; typing and hand scanners work without it.
const button = document.getElementById("camera");
const view = document.getElementById("view");
const list = document.querySelector("textarea.scan");

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
    const lines = list.value.split("\n").filter((line) => line.trim());
    if (found && !lines.includes(found.rawValue)) {
      list.value = [...lines, found.rawValue, ""].join("\n");
      navigator.vibrate?.(80);
    }
    setTimeout(look, 150);
  };
  look();
}

if ("BarcodeDetector" in window && navigator.mediaDevices) {
  button.hidden = false;
  button.addEventListener("click", scan);
}
