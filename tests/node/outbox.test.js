// The states of an entry of the field, against a real server that answers, is slow, refuses or is away.
import assert from "node:assert/strict";
import http from "node:http";
import { after, before, beforeEach, test } from "node:test";
import { freshKey, Outbox } from "../../trace_app/static/js/outbox.js";

const WAIT_MS = 300;

// Node has no IndexedDB: entries as they would come back from it, each time a copy.
class Memory {
  constructor() {
    this.rows = new Map();
  }

  async put(entry) {
    this.rows.set(entry.key, structuredClone(entry));
  }

  async get(key) {
    return structuredClone(this.rows.get(key));
  }

  async delete(key) {
    this.rows.delete(key);
  }

  async all() {
    return [...this.rows.values()].map((entry) => structuredClone(entry));
  }
}

let server;
let home;
let received;
let answers;
let session;
let store;
let outbox;
let shown;

function reply(response, status, body, type = "application/json") {
  response.writeHead(status, { "Content-Type": type });
  response.end(typeof body === "string" ? body : JSON.stringify(body));
}

async function bodyOf(request) {
  const whole = new Request(`http://localhost${request.url}`, {
    method: "POST", headers: request.headers, body: request, duplex: "half",
  });
  return whole.formData();
}

before(async () => {
  server = http.createServer(async (request, response) => {
    if (request.url === "/field/session") return session(response);
    const body = await bodyOf(request);
    received.push({ url: request.url, headers: request.headers, key: body.get("entry_key"), note: body.get("note") });
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    return answer(response);
  });
  await new Promise((resolve) => { server.listen(0, "127.0.0.1", resolve); });
  home = `http://127.0.0.1:${server.address().port}`;
});

after(() => {
  server.closeAllConnections();
  server.close();
});

beforeEach(() => {
  received = [];
  answers = [(response) => reply(response, 201, { url: "/records/7" })];
  session = (response) => reply(response, 200, { user: "grower", csrf_token: "a token" });
  store = new Memory();
  shown = [];
  outbox = new Outbox(store, { home, waitMs: WAIT_MS, changed: async () => { shown.push(await states()); } });
});

const states = async () => (await outbox.entries()).map((entry) => outbox.stateOf(entry));

async function queued(note, at = 1, user = "grower") {
  const entry = {
    key: freshKey(), at, user, state: "waiting", url: "/field/ginger/care", title: "日常管护", page: "/field/ginger/care",
    fields: [["note", note], ["batch_ids", "1"], ["batch_ids", "2"]],
  };
  await outbox.keep(entry);
  return entry;
}

test("an entry is kept before anything is sent, and waits", async () => {
  await queued("浇水");
  assert.deepEqual(await states(), ["waiting"]);
  assert.deepEqual(received, []);
});

test("an entry is shown as being sent while it is under way", async () => {
  await queued("浇水");
  await outbox.sendAll();
  assert.deepEqual(shown[0], ["sending"]);
});

test("what is being sent is kept as waiting, for a page that is closed meanwhile", async () => {
  const entry = await queued("浇水");
  let keptThen;
  answers = [async (response) => {
    keptThen = await store.get(entry.key);
    reply(response, 201, { url: "/records/7" });
  }];
  await outbox.sendAll();
  assert.equal(keptThen.state, "waiting");
});

test("an entry that was sent goes, and its key and token went with it", async () => {
  const entry = await queued("浇水");
  assert.equal(await outbox.send(entry, true), "sent");
  assert.equal(entry.answer.url, "/records/7");
  assert.deepEqual(await states(), []);
  assert.equal(received[0].key, entry.key);
  assert.equal(received[0].note, "浇水");
  assert.equal(received[0].headers["x-csrftoken"], "a token");
  assert.equal(received[0].headers["x-watched"], "1");
});

test("the oldest entry is sent first", async () => {
  await queued("后", 2);
  await queued("先", 1);
  await outbox.sendAll();
  assert.deepEqual(received.map(({ note }) => note), ["先", "后"]);
});

test("a slow server is given up and the entry goes on waiting, with the same key when it is tried again", async () => {
  const entry = await queued("浇水");
  answers = [() => {}, (response) => reply(response, 201, { url: "/records/7" })];
  await outbox.sendAll();
  assert.deepEqual(await states(), ["waiting"]);
  await outbox.sendAll();
  assert.deepEqual(await states(), []);
  assert.deepEqual(received.map(({ key }) => key), [entry.key, entry.key]);
});

test("without a server the entry waits, and those after it are not tried", async () => {
  await queued("先", 1);
  await queued("后", 2);
  outbox.home = "http://127.0.0.1:1";
  await outbox.sendAll();
  assert.deepEqual(await states(), ["waiting", "waiting"]);
  assert.deepEqual(received, []);
});

for (const status of [429, 500, 503]) {
  test(`an answer of ${status} leaves the entry waiting`, async () => {
    await queued("浇水");
    answers = [(response) => reply(response, status, {})];
    await outbox.sendAll();
    assert.deepEqual(await states(), ["waiting"]);
  });
}

test("what was refused says why, stays, and is sent again only when asked for", async () => {
  const entry = await queued("");
  answers = [(response) => reply(response, 422, { errors: { note: ["请填写此项。"] } })];
  await outbox.sendAll();
  assert.deepEqual(await states(), ["refused"]);
  assert.deepEqual((await outbox.entry(entry.key)).answer.errors.note, ["请填写此项。"]);
  await outbox.sendAll();
  assert.equal(received.length, 1);
  await outbox.sendAll(true);
  assert.equal(received.length, 2);
});

test("a refusal does not keep the entries after it from being sent", async () => {
  await queued("", 1);
  await queued("浇水", 2);
  answers = [(response) => reply(response, 422, {}), (response) => reply(response, 201, { url: "/records/7" })];
  await outbox.sendAll();
  assert.deepEqual(await states(), ["refused"]);
  assert.equal(received.length, 2);
});

test("a correction that met another's is a conflict, and is sent against the newer one under a new key", async () => {
  const entry = await queued("浇水");
  const conflict = { message: "刚刚被别人更正", newer: "/records/9/correct", differences: [] };
  answers = [
    (response) => reply(response, 409, conflict),
    (response) => reply(response, 201, { url: "/records/10" }),
  ];
  await outbox.sendAll();
  assert.deepEqual(await states(), ["conflict"]);
  await outbox.sendAgainstTheNewer(await outbox.entry(entry.key));
  assert.deepEqual(await states(), []);
  assert.equal(received[1].url, "/records/9/correct");
  assert.notEqual(received[1].key, entry.key);
});

test("a lot that was closed meanwhile is a refusal and no conflict", async () => {
  await queued("浇水");
  answers = [(response) => reply(response, 409, { messages: ["批次已结束"] })];
  await outbox.sendAll();
  assert.deepEqual(await states(), ["refused"]);
});

test("who is not signed in is told so, and nothing is sent", async () => {
  await queued("浇水");
  session = (response) => reply(response, 200, "<!doctype html>", "text/html");
  await outbox.sendAll();
  assert.deepEqual(await states(), ["login"]);
  assert.deepEqual(received, []);
});

test("an entry is never sent in another user's name", async () => {
  await queued("浇水", 1, "neighbour");
  await outbox.sendAll();
  assert.deepEqual(await states(), ["other"]);
  assert.deepEqual(received, []);
});

test("two ways of asking at once send each entry once", async () => {
  await queued("浇水");
  await Promise.all([outbox.sendAll(), outbox.sendAll(), outbox.sendAll()]);
  assert.equal(received.length, 1);
});

test("an entry that comes while others are sent is sent too", async () => {
  await queued("先", 1);
  const sending = outbox.sendAll();
  await queued("后", 2);
  await Promise.all([sending, outbox.sendAll()]);
  assert.deepEqual(received.map(({ note }) => note), ["先", "后"]);
});

test("an entry that is thrown away while it is under way does not come back", async () => {
  const entry = await queued("浇水");
  answers = [async (response) => {
    await outbox.drop(entry.key);
    reply(response, 500, {});
  }];
  await outbox.sendAll();
  assert.deepEqual(await states(), []);
});
