// Sends photos that wait in this browser, whatever page is open, and says how far it is.
import { EntryStore } from "./entry-store.js";
import { MARK, openPhotoStore, photoKeysOf } from "./photo-keeping.js";
import { PhotoQueue } from "./photo-queue.js";

const AGAIN_MS = 5000;
const place = document.getElementById("photos-on-their-way");

const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_all, name) => values[name]);

// Who is signed in at this moment: another page may have changed that.
async function signedIn() {
  const answer = await fetch("/field/session", { headers: { Accept: "application/json" }, cache: "no-store" });
  const isJson = (answer.headers.get("Content-Type") || "").includes("json");
  return answer.ok && isJson ? (await answer.json()).user : "";
}

class PhotosWaiting {
  constructor() {
    [this.line, this.wrong] = place.children;
    this.store = openPhotoStore();
    this.entries = new EntryStore();
    const { user } = place.dataset;
    const changed = () => this.show();
    this.queue = new PhotoQueue(this.store, { heldKeys: () => this.heldKeys(), changed, user, signedIn });
    place.querySelector("button").addEventListener("click", () => this.forgetRefused());
  }

  // Those of entries that have still to be sent.
  async heldKeys() {
    const entries = await this.entries.all().catch(() => []);
    return new Set([].concat(...entries.map(photoKeysOf)));
  }

  async show() {
    const all = await this.store.all();
    const photos = all.filter((photo) => this.queue.isMine(photo));
    const held = await this.heldKeys();
    const waiting = photos.filter((photo) => !photo.refused && (photo.expected || held.has(photo.key)));
    const refused = photos.filter((photo) => photo.refused);
    place.hidden = !waiting.length && !refused.length;
    document.body.classList.toggle(place.id, !place.hidden);
    this.line.hidden = !waiting.length;
    this.line.textContent = this.lineFor(waiting.length);
    this.wrong.hidden = !refused.length;
    if (refused.length) this.tellWhy(refused[0]);
    // What one saves with stays in sight above it, however many lines it has.
    document.body.style.setProperty("--photo-bar", `${place.offsetHeight}px`);
    if (!all.length) localStorage.removeItem(MARK);
  }

  tellWhy({ file, refused, place: page }) {
    const [said, link] = this.wrong.children;
    said.textContent = file ? `${file}${place.dataset.colon}${refused}` : refused;
    link.hidden = !page;
    if (page) link.href = page;
  }

  lineFor(count) {
    const { sending, waiting, failing } = place.dataset;
    const { busy, sent, count: all, percent } = this.queue;
    if (this.queue.failed && navigator.onLine) return filled(failing, { count });
    if (!busy || sent >= all) return filled(waiting, { count });
    return filled(sending, { number: sent + 1, count: all, percent });
  }

  async forgetRefused() {
    for (const photo of await this.store.all()) {
      if (photo.refused && this.queue.isMine(photo)) await this.store.delete(photo.key);
    }
    await this.show();
  }

  async attempt() {
    if (!localStorage.getItem(MARK)) return;
    // One page at a time: others would send the same parts.
    if (!navigator.locks) await this.queue.sendAll();
    else await navigator.locks.request(MARK, { ifAvailable: true }, (lock) => lock && this.queue.sendAll());
  }
}

// Where nothing waits, nothing is opened.
let waiting = null;
function look() {
  if (!localStorage.getItem(MARK)) return;
  waiting = waiting || new PhotosWaiting();
  waiting.attempt().catch(() => {});
}

if (place && window.indexedDB) {
  look();
  setInterval(look, AGAIN_MS);
  window.addEventListener("online", look);
}
