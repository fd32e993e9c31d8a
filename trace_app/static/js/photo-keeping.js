// Photos of a form: made small and kept in this browser, under names that go with the form. They are sent afterwards.
import { EntryStore } from "./entry-store.js";
import { freshKey } from "./outbox.js";
import { smallPhoto } from "./small-photo.js";

export const MARK = "photos-waiting";
export const TO_COME = "photos_to_come";

// The names of an entry's photos.
export const photoKeysOf = ({ fields }) => fields.filter(([name]) => name === TO_COME).map(([, key]) => key);
export const openPhotoStore = () => new EntryStore("photos", "photos");

// Whose the photos are that are chosen here: the account's that is signed in, or nobody's.
function ownerHere() {
  const place = document.getElementById("photos-on-their-way");
  return (place && place.dataset.user) || "";
}

// Keeps files one by one, and returns their names. told: called before each with its number.
export async function keepPhotos(store, files, told = () => {}) {
  const keys = [];
  const group = freshKey();
  const user = ownerHere();
  try {
    for (const file of files) {
      told(keys.length + 1, files.length);
      const photo = await smallPhoto(file);
      const key = freshKey();
      await store.put(Object.assign(photo, { key, group, user, file: file.name, at: Date.now() + keys.length }));
      keys.push(key);
    }
  } catch (error) {
    await dropPhotos(store, keys).catch(() => {});
    throw error;
  }
  // Other pages look for photos only where there are some.
  if (keys.length) localStorage.setItem(MARK, "1");
  return keys;
}

// What they belong to has come to the platform: from now on they are said to be on their way. place: its page.
export async function expectPhotos(store, keys, place) {
  const told = (await store.all()).filter((photo) => keys.includes(photo.key));
  for (const photo of told) await store.put(Object.assign(photo, { expected: true, place }));
}

export async function dropPhotos(store, keys) {
  for (const key of keys) await store.delete(key);
}
