// Sends photos that wait in this browser, whatever page is open, and says how far it is.
import { EntryStore } from "./entry-store.js";
import { MARK, openPhotoStore, photoKeysOf } from "./photo-keeping.js";
import { PhotoQueue } from "./photo-queue.js";

const AGAIN_MS = 5000;
const place = document.getElementById("photos-on-their-way");

const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_all, name) => values[name]);

class PhotosWaiting {
  constructor() {
    [this.line, this.wrong] = place.children;
    this.store = openPhotoStore();
    this.entries = new EntryStore();
    this.queue = new PhotoQueue(this.store, { heldKeys: () => this.heldKeys(), changed: () => this.show() });
    place.querySelector("button").addEventListener("click", () => this.forgetRefused());
  }

  // Those of entries that have still to be sent.
  async heldKeys() {
    const entries = await this.entries.all().catch(() => []);
    return new Set([].concat(...entries.map(photoKeysOf)));
  }

  async show() {
    const photos = await this.store.all();
    const held = await this.heldKeys();
    const waiting = photos.filter((photo) => !photo.refused && (photo.expected || held.has(photo.key)));
    const refused = photos.filter((photo) => photo.refused);
    place.hidden = !waiting.length && !refused.length;
    document.body.classList.toggle(place.id, !place.hidden);
    this.line.hidden = !waiting.length;
    this.line.textContent = this.lineFor(waiting.length);
    this.wrong.hidden = !refused.length;
    if (refused.length) this.wrong.firstElementChild.textContent = refused[0].refused;
    if (!photos.length) localStorage.removeItem(MARK);
  }

  lineFor(count) {
    const { sending, waiting } = place.dataset;
    const { busy, sent, count: all, percent } = this.queue;
    if (!busy || sent >= all) return filled(waiting, { count });
    return filled(sending, { number: sent + 1, count: all, percent });
  }

  async forgetRefused() {
    for (const photo of await this.store.all()) if (photo.refused) await this.store.delete(photo.key);
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
