// Keeps the entry pages of the field, so that they open without a network. Entries themselves are kept by field.js.
const FILES = [/* KEPT */];
const STATIC_CACHE = `field-files-${FILES.join(" ")}`;
const PAGES = "field-pages";
const WAIT_MS = 4000;
const FRESH_MS = 6 * 3600 * 1000;
const NOT_PAGES = ["/field/session", "/field/sw.js", "/field/manifest.webmanifest"];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(STATIC_CACHE).then((cache) => cache.addAll(FILES)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const clean = async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith("field-files-") && name !== STATIC_CACHE) await caches.delete(name);
    }
    await self.clients.claim();
  };
  event.waitUntil(clean());
});

function isPage(answer) {
  return answer.ok && !answer.redirected && (answer.headers.get("Content-Type") || "").includes("text/html");
}

async function keepPage(path, answer) {
  const cache = await caches.open(PAGES);
  const headers = new Headers(answer.headers);
  headers.set("X-Kept-At", String(Date.now()));
  await cache.put(path, new Response(await answer.blob(), { status: 200, headers }));
}

// The pages are those of one user: another's go.
async function keepPages(user, paths) {
  const cache = await caches.open(PAGES);
  const owner = await cache.match("/owner");
  if (owner && (await owner.text()) !== user) {
    await caches.delete(PAGES);
    return keepPages(user, paths);
  }
  await cache.put("/owner", new Response(user));
  for (const path of paths) {
    const kept = await cache.match(path);
    if (kept && Date.now() - Number(kept.headers.get("X-Kept-At")) < FRESH_MS) continue;
    const answer = await fetch(path, { credentials: "same-origin" });
    if (isPage(answer)) await keepPage(path, answer);
  }
}

self.addEventListener("message", (event) => {
  const { user, pages } = event.data || {};
  if (user && pages) event.waitUntil(keepPages(user, pages).catch(() => {}));
});

async function page(event) {
  const { pathname: path, search } = new URL(event.request.url);
  try {
    const timeout = new Promise((_, reject) => setTimeout(reject, WAIT_MS));
    const answer = await Promise.race([fetch(event.request), timeout]);
    // What was asked for about one lot is that visit's alone: another finds nothing ticked of it.
    if (isPage(answer) && !search) event.waitUntil(keepPage(path, answer.clone()));
    return answer;
  } catch {
    const cache = await caches.open(PAGES);
    return (await cache.match(path)) || (await cache.match("/field/")) || fetch(event.request);
  }
}

self.addEventListener("fetch", (event) => {
  const { method, url, mode } = event.request;
  const { origin, pathname } = new URL(url);
  if (method !== "GET" || origin !== self.location.origin) return;
  if (pathname.startsWith("/static/")) {
    event.respondWith(caches.match(event.request).then((kept) => kept || fetch(event.request)));
  } else if (mode === "navigate" && pathname.startsWith("/field/") && !NOT_PAGES.includes(pathname)) {
    event.respondWith(page(event));
  }
});
