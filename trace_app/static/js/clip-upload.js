// Sends a clip in small parts (tus), so that it goes on where it stopped: after a pause, a line that drops, or a page
// that was closed. Without scripts the form sends it whole.
import { filled, fingerprintOf, passesBy, refusalIn } from "./clip-progress.js";
import { load } from "./load-script.js";

const PART = 1024 * 1024;
const LOOK_AGAIN_MS = 3000;
// After the last of them it is tried every half minute for an hour.
const RETRIES_MS = [0, 1000, 3000, 5000, 10000, 20000, ...Array(120).fill(30000)];

const box = document.getElementById("clip-upload");

async function session(address) {
  const answer = await fetch(address, { headers: { Accept: "application/json" }, cache: "no-store" });
  if (answer.status >= 500 || answer.status === 429) throw new Error("away");
  const isJson = (answer.headers.get("Content-Type") || "").startsWith("application/json");
  return answer.ok && isJson ? answer.json() : null;
}

class ClipUpload {
  constructor(place) {
    this.place = place;
    this.form = place.querySelector("form");
    this.input = this.form.querySelector("input[type=file]");
    this.shown = place.querySelector(".under-way");
    this.status = this.shown.querySelector(".words");
    this.bar = this.shown.querySelector("progress");
    this.pauseButton = this.shown.querySelector(".pause");
    this.goOnButton = this.shown.querySelector(".go-on");
    this.lookAgain = this.shown.querySelector(".look-again");
    this.upload = null;
    this.sent = 0;
    this.waits = false;
    this.token = "";
    this.form.addEventListener("submit", (event) => this.submit(event));
    this.pauseButton.addEventListener("click", () => this.pause());
    this.goOnButton.addEventListener("click", () => this.goOn());
    window.addEventListener("online", () => {
      if (this.waits) this.goOn();
    });
  }

  say(name) {
    const words = this.place.querySelector("template").content.querySelector(`[data-name="${name}"]`);
    this.show(filled(words.textContent, this.sent, this.file ? this.file.size : 0));
  }

  show(text) {
    this.shown.hidden = false;
    if (this.status.textContent !== text) this.status.textContent = text;
  }

  buttons(isRunning) {
    this.pauseButton.hidden = !isRunning;
    this.goOnButton.hidden = isRunning;
    this.lookAgain.hidden = true;
  }

  submit(event) {
    event.preventDefault();
    const file = this.input.files[0];
    if (!file || file.size > Number(this.place.dataset.mostMb) * 1024 * 1024) {
      this.file = file;
      this.say(file ? "large" : "empty");
      this.pauseButton.hidden = true;
      return;
    }
    this.file = file;
    this.form.hidden = true;
    this.sent = 0;
    this.upload = null;
    this.goOn();
  }

  async goOn() {
    this.buttons(true);
    this.waits = false;
    try {
      if (!this.upload) await this.prepare();
      else await this.upload.abort();
      const signedIn = await session(this.place.dataset.session);
      if (!signedIn) {
        this.stop("out");
        return;
      }
      this.token = signedIn.csrf_token;
      this.say("sending");
      this.upload.start();
    } catch {
      this.waitForTheLine();
    }
  }

  async prepare() {
    if (!window.tus) await load(this.place.dataset.library);
    const { record, uploads } = this.place.dataset;
    const upload = new window.tus.Upload(this.file, {
      endpoint: uploads,
      chunkSize: PART,
      retryDelays: RETRIES_MS,
      removeFingerprintOnSuccess: true,
      metadata: { filename: this.file.name, record },
      fingerprint: async () => fingerprintOf(this.file, record),
      onBeforeRequest: (request) => {
        request.setHeader("X-CSRFToken", this.token);
        request.setHeader("Accept", "application/json");
      },
      onProgress: (sent) => this.progress(sent),
      onShouldRetry: (error) => this.shouldRetry(error),
      onError: (error) => this.fail(error),
      onSuccess: () => this.done(),
    });
    const [before] = await upload.findPreviousUploads();
    if (before) {
      upload.resumeFromPreviousUpload(before);
      this.isResumed = true;
    }
    this.upload = upload;
  }

  progress(sent) {
    this.waits = false;
    this.sent = sent;
    this.bar.value = (sent / this.file.size) * 100;
    this.say(this.isResumed ? "resumed" : "sending");
    this.isResumed = false;
  }

  shouldRetry(error) {
    const again = passesBy(error);
    this.waits = again;
    if (again) this.say("waiting");
    return again;
  }

  waitForTheLine() {
    this.waits = true;
    this.buttons(false);
    this.say("waiting");
  }

  async pause() {
    this.buttons(false);
    if (this.upload) await this.upload.abort();
    this.say("paused");
  }

  stop(name) {
    this.buttons(false);
    this.say(name);
  }

  async fail(error) {
    const signedIn = await session(this.place.dataset.session).catch(() => ({}));
    const refusal = refusalIn(error);
    if (signedIn && refusal) this.refuse(refusal);
    else this.stop(signedIn ? "failed" : "out");
  }

  // Nothing is tried again: another clip can be chosen, and what stands in the way is on the page as it is now.
  refuse(words) {
    this.show(words);
    this.pauseButton.hidden = true;
    this.goOnButton.hidden = true;
    this.lookAgain.hidden = false;
    this.form.hidden = false;
  }

  done() {
    this.bar.value = 100;
    this.sent = this.file.size;
    this.pauseButton.hidden = true;
    this.say("done");
    setTimeout(() => location.replace(location.pathname), 600);
  }

  get isBusy() {
    return !this.shown.hidden || this.input.files.length > 0;
  }
}

const upload = box && box.dataset.library ? new ClipUpload(box) : null;

// What is being looked at is shown as soon as it is known.
if (document.querySelector("[data-waiting]")) {
  setInterval(() => {
    if (!upload || !upload.isBusy) location.replace(location.pathname);
  }, LOOK_AGAIN_MS);
}
