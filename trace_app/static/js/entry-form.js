// The form of one entry: what is filled in is kept before it is sent.
import { freshKey } from "./outbox.js";
import { dropPhotos, keepPhotos, openPhotoStore, photoKeysOf, TO_COME } from "./photo-keeping.js";

const NOT_KEPT = ["csrf_token", "entry_key", "photos", TO_COME];
const isTicked = (input) => input.type === "checkbox" || input.type === "radio";

function fieldsOf(form) {
  return [...new FormData(form)].filter(
    ([name, value]) => !NOT_KEPT.includes(name) && !(value instanceof File && !value.size),
  );
}

function fill(form, fields) {
  for (const input of form.querySelectorAll("input[type=checkbox], input[type=radio]")) input.checked = false;
  for (const [name, value] of fields) {
    if (value instanceof Blob) continue;
    for (const input of form.querySelectorAll(`[name="${CSS.escape(name)}"]`)) {
      if (isTicked(input)) input.checked = input.checked || input.value === value;
      else if (input.type !== "file") input.value = value;
    }
  }
}

// Who goes back to the form of an entry that was sent, and saves it as it stands, means that entry and no second one.
const SENT = "sentEntry";

function asItStands(form, fields) {
  const input = form.querySelector("input[type=file][name=photos]");
  const named = (value) => (value instanceof Blob ? `${value.name} ${value.size}` : value);
  const files = Array.from((input && input.files) || [], (file) => ["photo", file]);
  return JSON.stringify([...fields, ...files].map(([name, value]) => [name, named(value)]));
}

function sentBefore(words) {
  const sent = history.state && history.state[SENT];
  return sent && sent.words === words ? sent : undefined;
}

function noteSent(entry, words) {
  const sent = { key: entry.key, words, photos: photoKeysOf(entry) };
  history.replaceState(Object.assign({}, history.state, { [SENT]: sent }), "");
}

// Where one comes from a lot's page, the record is for that lot alone.
function tickLotOfAddress(form) {
  const lot = new URLSearchParams(location.search).get("batch");
  const box = lot && document.getElementById(`lot-${lot}`);
  if (!box) return;
  for (const other of form.querySelectorAll("input[name=batch_ids]")) other.checked = other === box;
}

// What was said of the entry before does not stand beside what is said of this one.
function hideWhatWasSaid() {
  for (const told of document.querySelectorAll(".flash")) told.hidden = true;
}

// An entry that is mended: what was chosen is in sight, and above it why it was not accepted.
function showWhy(form, { messages = [], errors = {} }) {
  const chosen = form.querySelector("li input:checked");
  if (chosen) chosen.scrollIntoView({ block: "center" });
  const ofFields = Object.entries(errors).map(([name, texts]) => `${name}：${texts.join(" ")}`);
  for (const text of [...messages, ...ofFields].reverse()) {
    const told = document.createElement("p");
    told.className = "alert";
    told.setAttribute("role", "alert");
    told.textContent = text;
    form.prepend(told);
  }
  if (form.firstElementChild.className === "alert") form.firstElementChild.scrollIntoView({ block: "start" });
}

// What the server says beside each field takes the place of the form; files that were chosen stay.
function showRefusal(form, page) {
  const refused = new DOMParser().parseFromString(page, "text/html").getElementById("entry");
  for (const input of form.querySelectorAll("input[type=file]")) {
    const empty = refused.querySelector(`[name="${CSS.escape(input.name)}"]`);
    if (empty && input.files.length) empty.replaceWith(input);
  }
  // Names of photos come with the next attempt, which keeps the files anew.
  for (const named of refused.querySelectorAll(`[name="${TO_COME}"]`)) named.remove();
  form.replaceChildren(...refused.childNodes);
  form.dispatchEvent(new Event("filled"));
  const wrong = form.querySelector("[aria-invalid], .alert");
  if (wrong) wrong.scrollIntoView({ block: "center" });
}

// Makes chosen photos small and keeps them; the entry has their names, and goes first.
async function photosOf(form, photos, old) {
  const input = form.querySelector("input[type=file][name=photos]");
  const files = input ? Array.from(input.files) : [];
  const before = old ? photoKeysOf(old) : [];
  // Photos of an entry that is mended stay, unless others are chosen.
  if (!files.length) return before;
  const words = form.querySelector(".photo-words");
  const keys = await keepPhotos(photos, files, (number, count) => {
    words.hidden = false;
    words.textContent = words.dataset.preparing.replace("{number}", number).replace("{count}", count);
  });
  words.hidden = true;
  await dropPhotos(photos, before);
  return keys;
}

export async function prepareForm(form, outbox) {
  const photos = openPhotoStore();
  const kept = document.getElementById("kept");

  // Without what this script does, where nothing can be kept.
  function submitPlainly(button) {
    form.removeEventListener("submit", submitted);
    button.disabled = false;
    form.requestSubmit();
  }

  function entryOf(old, keys, sent) {
    const fields = fieldsOf(form);
    return {
      key: form.dataset.key || (sent ? sent.key : freshKey()),
      at: old ? old.at : Date.now(),
      user: document.body.dataset.user,
      state: "waiting",
      url: form.getAttribute("action") || location.pathname,
      title: form.dataset.title,
      page: location.pathname,
      fields: [...fields, ...keys.map((key) => [TO_COME, key])],
    };
  }

  async function submitted(event) {
    event.preventDefault();
    const button = form.querySelector("button.button");
    button.disabled = true;
    hideWhatWasSaid();
    const old = form.dataset.key ? await outbox.entry(form.dataset.key) : undefined;
    const words = asItStands(form, fieldsOf(form));
    const sent = sentBefore(words);
    let entry;
    try {
      entry = entryOf(old, sent ? sent.photos : await photosOf(form, photos, old), sent);
      await outbox.keep(entry);
    } catch {
      submitPlainly(button);
      return;
    }
    const state = await outbox.send(entry, true);
    if (state === "sent") {
      noteSent(entry, words);
      location.assign(entry.answer.url);
    } else if (state === "refused" && !old && entry.answer.page) {
      // Nothing was stored there.
      await outbox.drop(entry.key);
      await dropPhotos(photos, photoKeysOf(entry));
      showRefusal(form, entry.answer.page);
      await outbox.changed();
    } else if (state === "conflict" || state === "refused" || old) {
      location.assign("/field/");
    } else {
      kept.hidden = false;
      form.reset();
      await outbox.changed();
      button.disabled = false;
      scrollTo({ top: 0, behavior: "smooth" });
    }
  }

  tickLotOfAddress(form);
  const key = location.hash.slice(1);
  const entry = key ? await outbox.entry(key).catch(() => undefined) : undefined;
  if (entry) {
    form.dataset.key = key;
    fill(form, entry.fields);
    form.dispatchEvent(new Event("filled"));
    if (entry.state === "refused") showWhy(form, entry.answer || {});
    else showWhy(form, {});
  }
  form.addEventListener("submit", submitted);
  // A page that the browser kept whole, and brings back.
  addEventListener("pageshow", ({ persisted }) => {
    if (persisted) form.querySelector("button.button").disabled = false;
  });
}
