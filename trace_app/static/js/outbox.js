// What waits to be sent. Each entry is kept first, then sent, exactly once by its key. An entry's state is one of
//   waiting   not sent yet: no network, a server that is slow or busy, or nobody has tried
//   sending   under way (only shown, never kept: a page may be closed meanwhile)
//   login     nobody is signed in
//   other     someone else is signed in than who made the entry
//   refused   the server says what is wrong with it
//   conflict  someone has corrected the same record meanwhile
// and when it is sent it goes.
export const WAIT_MS = 20000;
const NOT_BY_THEMSELVES = ["refused", "conflict"];
const STOPPING = ["waiting", "login"];

export function freshKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const isJson = (answer) => (answer.headers.get("Content-Type") || "").includes("json");

export class Outbox {
  // store: get, put, delete and all, as EntryStore has them. changed: called whenever there is something new to show.
  // arrived: called with an entry that was sent.
  constructor(store, options = {}) {
    const { home = location.origin, waitMs = WAIT_MS, changed = async () => {}, arrived = async () => {} } = options;
    this.store = store;
    this.home = home;
    this.waitMs = waitMs;
    this.changed = changed;
    this.arrived = arrived;
    this.underWay = null;
    this.busy = false;
    this.askedMeanwhile = false;
  }

  keep(entry) {
    return this.store.put(entry);
  }

  drop(key) {
    return this.store.delete(key);
  }

  entry(key) {
    return this.store.get(key);
  }

  // The oldest first, in the order in which they are sent.
  async entries() {
    const found = await this.store.all();
    return found.sort((a, b) => a.at - b.at);
  }

  stateOf(entry) {
    return entry.key === this.underWay ? "sending" : entry.state;
  }

  // Sends one entry that is kept: "sent", or the state in which it stays.
  async send(entry, watched = false) {
    this.underWay = entry.key;
    await this.changed();
    try {
      entry.state = await this.attempt(entry, watched);
    } finally {
      this.underWay = null;
    }
    if (entry.state === "sent") {
      // The entry has come, whatever becomes of the note of it.
      await this.arrived(entry).catch(() => {});
      await this.drop(entry.key);
    }
    // It may have been thrown away meanwhile.
    else if (await this.entry(entry.key)) await this.keep(entry);
    return entry.state;
  }

  // Sends what waits, one after the other; with `again`, also what was refused.
  async sendAll(again = false) {
    if (this.busy) {
      this.askedMeanwhile = true;
      return;
    }
    this.busy = true;
    try {
      for (const entry of await this.entries()) {
        if (!again && NOT_BY_THEMSELVES.includes(entry.state)) continue;
        const state = await this.send(entry);
        await this.changed();
        if (STOPPING.includes(state)) break;
      }
    } finally {
      this.busy = false;
    }
    await this.changed();
    if (this.askedMeanwhile) {
      this.askedMeanwhile = false;
      await this.sendAll();
    }
  }

  // Sends an entry that met another's correction as a correction of that one.
  async sendAgainstTheNewer(entry) {
    const { newer } = entry.answer;
    await this.drop(entry.key);
    await this.keep({ ...entry, key: freshKey(), url: newer, page: newer, state: "waiting" });
    await this.sendAll();
  }

  async attempt(entry, watched) {
    let answer;
    try {
      const session = await this.ask("/field/session");
      if (!isJson(session)) return "login";
      const { user, csrf_token: token } = await session.json();
      if (entry.user !== user) return "other";
      const body = new FormData();
      for (const [name, value] of entry.fields) body.append(name, value);
      body.set("entry_key", entry.key);
      const headers = { "X-CSRFToken": token, "X-Watched": watched ? "1" : "" };
      answer = await this.ask(entry.url, { method: "POST", body, headers });
    } catch {
      return "waiting";
    }
    return this.outcome(entry, answer);
  }

  async outcome(entry, answer) {
    if (answer.status >= 500 || answer.status === 429) return "waiting";
    entry.answer = isJson(answer) ? await answer.json() : {};
    if (answer.status === 201) return "sent";
    if (answer.redirected) return "login";
    return answer.status === 409 && entry.answer.newer ? "conflict" : "refused";
  }

  // A request that is given up after a while. Browsers of older phones have no AbortSignal.timeout.
  async ask(path, options = {}) {
    const headers = { Accept: "application/json", ...options.headers };
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), this.waitMs);
    try {
      return await fetch(new URL(path, this.home), { ...options, headers, signal: late.signal, cache: "no-store" });
    } finally {
      clearTimeout(timer);
    }
  }
}
