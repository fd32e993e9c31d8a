// Entries that outlive a bad network: each is kept in this browser first, then sent, exactly once by its key.
import { prepareForm } from "./entry-form.js";
import { EntryStore } from "./entry-store.js";
import { OutboxList } from "./outbox-list.js";
import { Outbox } from "./outbox.js";
import { dropPhotos, expectPhotos, openPhotoStore, photoKeysOf } from "./photo-keeping.js";
import { showWaiting } from "./waiting-here.js";

const AGAIN_MS = 30000;
const form = document.getElementById("entry");
const section = document.getElementById("outbox");
const outbox = new Outbox(new EntryStore(), { arrived: photosGo });

// The photos of an entry that has come are on their way; what becomes of them is seen on its page.
async function photosGo(entry) {
  const keys = photoKeysOf(entry);
  if (keys.length) await expectPhotos(openPhotoStore(), keys, `/records/${entry.answer.id}`);
}

// The service worker keeps the entry pages; it is told which there are.
async function keepPages() {
  if (!("serviceWorker" in navigator)) return;
  await navigator.serviceWorker.register("/field/sw.js", { scope: "/field/" });
  const worker = (await navigator.serviceWorker.ready).active;
  const links = [...document.querySelectorAll('a[href^="/field/"]')];
  const pages = new Set([location.pathname, ...links.map((link) => new URL(link.href).pathname)]);
  worker.postMessage({ user: document.body.dataset.user, pages: [...pages] });
}

function showNetwork() {
  const told = document.getElementById("network");
  // Where nothing can be entered any more, nothing is said of the network.
  if (told) told.hidden = navigator.onLine;
}

function offerInstall(event) {
  const row = document.getElementById("install-row");
  if (!row) return;
  event.preventDefault();
  row.hidden = false;
  document.getElementById("install").addEventListener("click", () => event.prompt(), { once: true });
}

addEventListener("online", () => {
  showNetwork();
  outbox.sendAll();
});
addEventListener("offline", showNetwork);
addEventListener("beforeinstallprompt", offerInstall);
showNetwork();
const waiting = document.getElementById("waiting-here");
if (waiting) {
  outbox.changed = () => showWaiting(waiting, outbox);
  outbox.changed().catch(() => {});
}
if (form) prepareForm(form, outbox);
if (section) {
  const list = new OutboxList(section, outbox, (entry) => dropPhotos(openPhotoStore(), photoKeysOf(entry)));
  outbox.changed = () => list.show();
  document.getElementById("send-now").addEventListener("click", () => outbox.sendAll(true));
  list.show().then(() => outbox.sendAll());
  setInterval(() => {
    if (!section.hidden) outbox.sendAll();
  }, AGAIN_MS);
}
keepPages().catch(() => {});
