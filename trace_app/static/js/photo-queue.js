// Photos that wait in this browser to be sent, after what they belong to: one by one, in parts, from where the last
// attempt stopped (tus 1.0). An upload has no time limit as long as it moves.
const PART = 256 * 1024;
const STILL_MS = 60000;
const FORGOTTEN_MS = 24 * 3600 * 1000;
const ROOM = "/photo-uploads";
const HELPS_TO_WAIT = [0, 409, 423, 429, 460];

const base64 = (text) => btoa(unescape(encodeURIComponent(text)));
const passesBy = (status) => status >= 500 || HELPS_TO_WAIT.includes(status);

// What a browser says of a photo when it begins to send it.
export function metadataOf(photo) {
  const told = { name: photo.key, taken: photo.taken, offset: photo.offset, lat: photo.latitude, lon: photo.longitude };
  return Object.entries(told)
    .filter(([, value]) => value !== undefined && value !== "")
    .map(([name, value]) => `${name} ${base64(String(value))}`)
    .join(",");
}

// One request; its status is 0 where there was no answer, or nothing moved for a minute.
function ask(method, path, headers, body, moved = () => {}) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    let timer;
    const wait = () => {
      clearTimeout(timer);
      timer = setTimeout(() => request.abort(), STILL_MS);
    };
    const end = () => {
      clearTimeout(timer);
      const header = (name) => request.getResponseHeader(name);
      resolve({ status: request.status, text: request.responseText, header });
    };
    request.open(method, path);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.setRequestHeader("Tus-Resumable", "1.0.0");
    request.upload.onprogress = (event) => {
      wait();
      moved(event.loaded);
    };
    request.onload = end;
    request.onerror = end;
    request.onabort = end;
    wait();
    request.send(body);
  });
}

export class PhotoQueue {
  // store: the photos, as EntryStore has them. heldKeys: which of them belong to what has still to be sent itself.
  // user: whose page this is, "" where nobody is signed in. signedIn: who is signed in as they are sent.
  constructor(store, options = {}) {
    const { heldKeys = async () => new Set(), changed = () => {}, request = ask, now = Date.now } = options;
    const { user = "", signedIn = async () => user } = options;
    this.store = store;
    this.heldKeys = heldKeys;
    this.user = user;
    this.signedIn = signedIn;
    this.changed = changed;
    this.request = request;
    this.now = now;
    this.busy = false;
    this.sent = 0;
    this.count = 0;
    this.percent = 0;
    this.failed = false;
  }

  // Photos go while who took them is signed in. Those of what was written without an account go from any page.
  isMine(photo) {
    return !photo.user || photo.user === this.user;
  }

  // Those that may go now.
  async mine(photos) {
    const own = photos.filter((photo) => this.isMine(photo));
    if (!own.some((photo) => photo.user)) return own;
    const user = await this.signedIn().catch(() => "");
    return own.filter((photo) => !photo.user || photo.user === user);
  }

  async photos() {
    const all = await this.store.all();
    return all.sort((a, b) => a.at - b.at);
  }

  // Sends what waits. It stops where the line is away, and is called again then.
  async sendAll() {
    if (this.busy) return;
    this.busy = true;
    try {
      const held = await this.heldKeys();
      const left = (await this.photos()).filter((photo) => !photo.refused && !held.has(photo.key));
      const waiting = await this.mine(left);
      this.count = waiting.length;
      this.sent = 0;
      for (const photo of waiting) {
        if (!(await this.send(photo))) break;
        this.sent += 1;
      }
    } finally {
      this.busy = false;
      this.percent = 0;
      await this.changed();
    }
  }

  // Whether the next one may be tried.
  async send(photo) {
    const outcome = await this.upload(photo);
    if (outcome.status === 404) return this.notKnown(photo);
    this.failed = passesBy(outcome.status);
    if (this.failed) return false;
    if (outcome.status < 300) await this.store.delete(photo.key);
    else await this.store.put(Object.assign(photo, { refused: outcome.text || String(outcome.status) }));
    return true;
  }

  // Nothing that came to the platform speaks of it: a form that was never sent, or not yet.
  async notKnown(photo) {
    if (this.now() - photo.at > FORGOTTEN_MS) await this.store.delete(photo.key);
    return true;
  }

  async upload(photo) {
    const size = photo.blob.size;
    const headers = { "Upload-Length": String(size), "Upload-Metadata": metadataOf(photo) };
    const begun = await this.request("POST", ROOM, headers, null);
    if (begun.status !== 201) return begun;
    await this.told(photo);
    const path = `${ROOM}/${photo.key}`;
    let answer = await this.request("HEAD", path, {}, null);
    while (answer.status < 300 && answer.status) {
      const offset = Number(answer.header("Upload-Offset"));
      await this.progress(offset, size);
      if (offset >= size) return answer;
      answer = await this.part(path, photo.blob, offset);
    }
    return answer;
  }

  // The platform waits for this one: from now on it is said to be on its way.
  async told(photo) {
    if (photo.expected) return;
    await this.store.put(Object.assign(photo, { expected: true }));
    // And so it does for those that were chosen with it.
    for (const other of await this.store.all()) {
      if (photo.group && other.group === photo.group && !other.expected) {
        await this.store.put(Object.assign(other, { expected: true }));
      }
    }
  }

  part(path, blob, offset) {
    const headers = { "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream" };
    const moved = (loaded) => this.progress(offset + loaded, blob.size);
    return this.request("PATCH", path, headers, blob.slice(offset, offset + PART), moved);
  }

  async progress(done, size) {
    // The last part counts when the platform has answered.
    this.percent = Math.min(99, Math.floor((done / size) * 100));
    await this.changed();
  }
}
