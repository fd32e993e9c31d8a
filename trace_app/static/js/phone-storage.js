// What a phone keeps: it is asked not to throw unsent entries away, long waiting ones are told of on every page, and
// private pages leave it at sign-out.
import { EntryStore } from "./entry-store.js";
import { MARK, openPhotoStore, photoKeysOf } from "./photo-keeping.js";

const DAY_MS = 24 * 3600 * 1000;
const told = document.getElementById("phone-storage");
const { user } = told.dataset;

/** The entries of a user that have not been sent; none where nothing was ever kept. */
async function unsent() {
  // To look is not to make: a page that keeps nothing opens no database that is not there.
  if (indexedDB.databases && !(await indexedDB.databases()).some(({ name }) => name === "field")) return [];
  return (await new EntryStore().all()).filter((entry) => entry.user === user);
}

/** The photos of a user that have not come to the platform, with those of entries that have not been sent. */
async function unsentPhotos(entries) {
  if (!localStorage.getItem(MARK)) return [];
  const held = [].concat(...entries.map(photoKeysOf));
  const own = (await openPhotoStore().all()).filter((photo) => photo.user === user && !photo.refused);
  return own.filter((photo) => photo.expected || held.includes(photo.key));
}

function wordsFor(entries, photos) {
  const { unsent: records, unsentPhotos: alone, unsentBoth: both } = told.dataset;
  const words = entries.length && photos.length ? both : entries.length ? records : alone;
  return words.replace("{count}", entries.length || photos.length).replace("{photos}", photos.length);
}

async function tellOfLongWaiting() {
  const late = (await unsent()).filter((entry) => Date.now() - entry.at > DAY_MS).length;
  told.hidden = !late;
  told.textContent = told.dataset.late.replace("{count}", late);
}

// Older browsers have no such storage, or decide by themselves.
async function askToPersist() {
  if (!navigator.storage || !navigator.storage.persist) return;
  if (!(await navigator.storage.persisted())) await navigator.storage.persist();
}

async function forget() {
  sessionStorage.clear();
  if ("caches" in window) await caches.delete("field-pages");
}

// Without the network the browser would show an error of its own in place of this page.
async function isAway() {
  try {
    await fetch("/field/session", { headers: { Accept: "application/json" }, cache: "no-store" });
    return false;
  } catch {
    return true;
  }
}

async function signOut(form) {
  if (await isAway()) {
    alert(told.dataset.away);
    return;
  }
  const waiting = await unsent().catch(() => []);
  const photos = await unsentPhotos(waiting).catch(() => []);
  if ((waiting.length || photos.length) && !confirm(wordsFor(waiting, photos))) return;
  await forget().catch(() => {});
  // Its events have been heard.
  HTMLFormElement.prototype.submit.call(form);
}

document.addEventListener("submit", (event) => {
  if (event.target.id === "entry") askToPersist().catch(() => {});
  if (!event.target.matches("form[data-signs-out]")) return;
  event.preventDefault();
  signOut(event.target);
});
tellOfLongWaiting().catch(() => {});
