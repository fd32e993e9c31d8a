// Entries of the field, kept in this browser until they are sent; and whatever else is kept under a key of its own.

export class EntryStore {
  constructor(name = "field", rows = "entries") {
    this.rows = rows;
    this.opened = new Promise((resolve, reject) => {
      const request = indexedDB.open(name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(rows, { keyPath: "key" });
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    // Who keeps an entry hears of it; nobody else needs to.
    this.opened.catch(() => {});
  }

  async perform(mode, act) {
    const database = await this.opened;
    return new Promise((resolve, reject) => {
      const transaction = database.transaction(this.rows, mode);
      const request = act(transaction.objectStore(this.rows));
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
