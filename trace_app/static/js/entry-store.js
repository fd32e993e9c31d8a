// Entries of the field, kept in this browser until they are sent.
const NAME = "field";
const STORE = "entries";

export class EntryStore {
  constructor() {
    this.opened = new Promise((resolve, reject) => {
      const request = indexedDB.open(NAME, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "key" });
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    // Who keeps an entry hears of it; nobody else needs to.
    this.opened.catch(() => {});
  }

  async perform(mode, act) {
    const database = await this.opened;
    return new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = act(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
  }

  put(entry) {
    return this.perform("readwrite", (store) => store.put(entry));
  }

  get(key) {
    return this.perform("readonly", (store) => store.get(key));
  }

  delete(key) {
    return this.perform("readwrite", (store) => store.delete(key));
  }

  all() {
    return this.perform("readonly", (store) => store.getAll());
  }
}
