// Entries that outlive a bad network: each is kept in this browser first, then sent, exactly once by its key.
const NAME = "field", STORE = "entries", WAIT_MS = 20000, AGAIN_MS = 30000;

const opened = new Promise((resolve, reject) => {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "key" });
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});
opened.catch(() => {});

async function stored(mode, act) {
  const database = await opened;
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(STORE, mode);
    const request = act(transaction.objectStore(STORE));
    transaction.oncomplete = () => resolve(request.result);
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
}
const keep = (entry) => stored("readwrite", (store) => store.put(entry));
const drop = (key) => stored("readwrite", (store) => store.delete(key));
const entryOf = (key) => stored("readonly", (store) => store.get(key));
const entries = async () => (await stored("readonly", (store) => store.getAll())).sort((a, b) => a.at - b.at);

function freshKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Browsers of older phones have no AbortSignal.timeout.
async function ask(url, options = {}) {
  const headers = { Accept: "application/json", ...options.headers };
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), WAIT_MS);
  try {
    return await fetch(url, { ...options, headers, signal: late.signal, cache: "no-store" });
  } finally {
    clearTimeout(timer);
  }
}
const isJson = (answer) => (answer.headers.get("Content-Type") || "").includes("json");

// "sent", or why not: "waiting", "login", "other", "refused", "conflict".
async function send(entry, watched) {
  let answer;
  try {
    const session = await ask("/field/session");
    if (!isJson(session)) return "login";
    const { user, csrf_token: token } = await session.json();
    if (entry.user !== user) return "other";
    const body = new FormData();
    for (const [name, value] of entry.fields) body.append(name, value);
    body.set("entry_key", entry.key);
    answer = await ask(entry.url, { method: "POST", body, headers: { "X-CSRFToken": token, "X-Watched": watched ? "1" : "" } });
  } catch {
    return "waiting";
  }
  if (answer.status >= 500 || answer.status === 429) return "waiting";
  if (answer.status === 201) {
    entry.answer = await answer.json();
    return "sent";
  }
  entry.answer = isJson(answer) ? await answer.json() : {};
  if (answer.redirected) return "login";
  return answer.status === 409 && entry.answer.newer ? "conflict" : "refused";
}

async function sendKept(entry, watched = false) {
  entry.state = await send(entry, watched);
  if (entry.state === "sent") await drop(entry.key);
  else if (await entryOf(entry.key)) await keep(entry);
  return entry.state;
}

let sending = false, askedMeanwhile = false;
async function sendAll(again = false) {
  if (sending) {
    askedMeanwhile = true;
    return;
  }
  sending = true;
  try {
    for (const entry of await entries()) {
      if (!again && (entry.state === "refused" || entry.state === "conflict")) continue;
      const state = await sendKept(entry);
      await show();
      if (state === "waiting" || state === "login") break;
    }
  } finally {
    sending = false;
  }
  await show();
  if (askedMeanwhile) {
    askedMeanwhile = false;
    await sendAll();
  }
}

// The form of one entry.
const form = document.getElementById("entry");

function fieldsOf(element) {
  return [...new FormData(element)].filter(
    ([name, value]) => name !== "csrf_token" && name !== "entry_key" && !(value instanceof File && !value.size),
  );
}

function fill(fields) {
  for (const input of form.querySelectorAll("input[type=checkbox], input[type=radio]")) input.checked = false;
  for (const [name, value] of fields) {
    if (value instanceof Blob) continue;
    for (const input of form.querySelectorAll(`[name="${CSS.escape(name)}"]`)) {
      if (input.type === "checkbox" || input.type === "radio") input.checked ||= input.value === value;
      else if (input.type !== "file") input.value = value;
    }
  }
}

async function submitted(event) {
  event.preventDefault();
  const button = form.querySelector("button.button");
  button.disabled = true;
  document.getElementById("kept").hidden = true;
  const old = form.dataset.key ? await entryOf(form.dataset.key) : undefined;
  const fields = fieldsOf(form);
  const files = fields.some(([, value]) => value instanceof File);
  const entry = {
    key: form.dataset.key || freshKey(), at: old ? old.at : Date.now(), user: document.body.dataset.user, state: "waiting",
    url: form.getAttribute("action") || location.pathname, title: form.dataset.title, page: location.pathname,
    // Photos of an entry that is mended stay, unless others are chosen.
    fields: old && !files ? [...fields, ...old.fields.filter(([, value]) => value instanceof Blob)] : fields,
  };
  try {
    await keep(entry);
  } catch {
    form.removeEventListener("submit", submitted);
    form.requestSubmit();
    return;
  }
  const state = await sendKept(entry, true);
  if (state === "sent") {
    location.assign(entry.answer.url);
  } else if (state === "refused" && !old) {
    // The server's own page says beside each field what is wrong; nothing was stored there.
    await drop(entry.key);
    form.removeEventListener("submit", submitted);
    button.disabled = false;
    form.requestSubmit();
  } else if (state === "conflict" || state === "refused" || old) {
    location.assign("/field/");
  } else {
    document.getElementById("kept").hidden = false;
    form.reset();
    button.disabled = false;
    scrollTo({ top: 0, behavior: "smooth" });
  }
}

async function prepareForm() {
  const lot = new URLSearchParams(location.search).get("batch");
  const box = lot && document.getElementById(`lot-${lot}`);
  if (box) for (const other of form.querySelectorAll("input[name=batch_ids]")) other.checked = other === box;
  const key = location.hash.slice(1);
  const entry = key ? await entryOf(key).catch(() => undefined) : undefined;
  if (entry) {
    form.dataset.key = key;
    fill(entry.fields);
  }
  form.addEventListener("submit", submitted);
}

// What still waits, on the home page of the field.
const outbox = document.getElementById("outbox");

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function pressed(text, act, className = "button ghost") {
  const button = element("button", text, className);
  button.type = "button";
  button.addEventListener("click", act);
  return button;
}

function differences(entry) {
  const table = element("table");
  const head = table.createTHead().insertRow();
  for (const text of ["", outbox.dataset.theirsHead, outbox.dataset.mineHead]) head.append(element("th", text));
  const body = table.createTBody();
  for (const row of entry.answer.differences || []) {
    const line = body.insertRow();
    for (const text of [row.label, row.theirs || "—", row.mine || "—"]) line.insertCell().textContent = text;
  }
  return table;
}

async function againstTheNewer(entry) {
  await drop(entry.key);
  await keep({ ...entry, key: freshKey(), url: entry.answer.newer, page: entry.answer.newer, state: "waiting" });
  await sendAll();
}

function lineOf(entry) {
  const line = element("li", "", "waiting");
  const value = (name) => (entry.fields.find(([field]) => field === name) || [])[1] || "";
  const head = element("p");
  const about = [value("happened_on"), value("product_name"), value("note")].filter(Boolean).join(" · ");
  head.append(element("b", entry.title), element("span", ` ${about}`, "soft"));
  const says = outbox.dataset[entry.state] || outbox.dataset.waiting;
  const wrong = ["refused", "conflict"].includes(entry.state);
  const state = element("p", says, wrong ? "error" : "soft");
  line.append(head, state);
  if (entry.state === "refused" && entry.answer) {
    const told = [...(entry.answer.messages || []), ...Object.entries(entry.answer.errors || {}).map(([name, texts]) => `${name}：${texts.join(" ")}`)];
    for (const text of told) line.append(element("p", text, "error"));
  }
  const actions = element("p", "", "actions");
  if (entry.state === "conflict") {
    line.append(element("p", entry.answer.message), differences(entry));
    actions.append(pressed(outbox.dataset.mine, () => againstTheNewer(entry)));
  } else {
    const link = element("a", outbox.dataset.open, "button ghost");
    link.href = `${entry.page}#${entry.key}`;
    actions.append(link);
  }
  actions.append(pressed(outbox.dataset.discard, async () => {
    if (confirm(outbox.dataset.discardSure)) {
      await drop(entry.key);
      await show();
    }
  }, "small-button red"));
  line.append(actions);
  return line;
}

let hadSome = false;
async function show() {
  if (!outbox) return;
  const found = await entries();
  outbox.hidden = !found.length;
  document.getElementById("all-sent").hidden = !(hadSome && !found.length);
  hadSome ||= found.length > 0;
  document.getElementById("outbox-count").textContent = found.length || "";
  document.getElementById("outbox-list").replaceChildren(...found.map(lineOf));
}

// The service worker keeps the entry pages; it is told which there are.
async function keepPages() {
  if (!("serviceWorker" in navigator)) return;
  await navigator.serviceWorker.register("/field/sw.js", { scope: "/field/" });
  const worker = (await navigator.serviceWorker.ready).active;
  const pages = [...document.querySelectorAll('a[href^="/field/"]')].map((link) => new URL(link.href).pathname);
  worker.postMessage({ user: document.body.dataset.user, pages: [...new Set([location.pathname, ...pages])] });
}

function showNetwork() {
  document.getElementById("network").hidden = navigator.onLine;
}

addEventListener("online", () => { showNetwork(); sendAll(); });
addEventListener("offline", showNetwork);
addEventListener("beforeinstallprompt", (event) => {
  const row = document.getElementById("install-row");
  if (!row) return;
  event.preventDefault();
  row.hidden = false;
  document.getElementById("install").addEventListener("click", () => event.prompt(), { once: true });
});
showNetwork();
if (form) prepareForm();
if (outbox) {
  document.getElementById("send-now").addEventListener("click", () => sendAll(true));
  show().then(() => sendAll());
  setInterval(() => { if (!outbox.hidden) sendAll(); }, AGAIN_MS);
}
keepPages().catch(() => {});
