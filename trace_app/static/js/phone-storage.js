// What a phone keeps: it is asked not to throw unsent entries away, long waiting ones are told of on every page, and
// private pages leave it at sign-out.
import { EntryStore } from "./entry-store.js";

const DAY_MS = 24 * 3600 * 1000;
const told = document.getElementById("phone-storage");
const { user } = told.dataset;

/** The entries of a user that have not been sent; none where nothing was ever kept. */
async function unsent() {
  // To look is not to make: a page that keeps nothing opens no database that is not there.
  if (indexedDB.databases && !(await indexedDB.databases()).some(({ name }) => name === "field")) return [];
  return (await new EntryStore().all()).filter((entry) => entry.user === user);
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

async function signOut(form) {
  const waiting = await unsent().catch(() => []);
  if (waiting.length && !confirm(told.dataset.unsent.replace("{count}", waiting.length))) return;
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
