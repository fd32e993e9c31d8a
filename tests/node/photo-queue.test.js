// Photos on their way, against a platform of a few lines that breaks off where it is told to.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { metadataOf, PhotoQueue } from "../../trace_app/static/js/photo-queue.js";

class Memory {
  constructor() {
    this.rows = new Map();
  }

  async put(photo) {
    this.rows.set(photo.key, { ...photo });
  }

  async delete(key) {
    this.rows.delete(key);
  }

  async all() {
    return [...this.rows.values()].map((photo) => ({ ...photo }));
  }
}

let store;
let received;
let refusing;
let down;
let shown;
let queue;

const answer = (status, headers = {}, text = "") => ({ status, text, header: (name) => headers[name] });

async function platform(method, path, headers, body, moved) {
  if (down > 0) {
    down -= 1;
    return answer(0);
  }
  if (refusing) return answer(refusing, {}, "不是能打开的照片");
  const key = path === "/photo-uploads"
    ? Buffer.from(headers["Upload-Metadata"].split(",")[0].split(" ")[1], "base64").toString()
    : path.split("/").pop();
  if (!received.has(key)) return answer(404);
  const had = received.get(key);
  if (method === "POST") return answer(201);
  if (method === "HEAD") return answer(200, { "Upload-Offset": String(had.length) });
  assert.equal(Number(headers["Upload-Offset"]), had.length);
  moved(body.size);
  received.set(key, had + (await body.text()));
  return answer(204, { "Upload-Offset": String(received.get(key).length) });
}

const photo = (key, length = 600000, at = 0) => ({ key, at, blob: new Blob(["x".repeat(length)]) });

beforeEach(() => {
  store = new Memory();
  received = new Map();
  refusing = 0;
  down = 0;
  shown = [];
  const changed = async () => shown.push([queue.sent + 1, queue.count, queue.percent]);
  queue = new PhotoQueue(store, { request: platform, changed });
});

test("photos go one by one, in parts, and are dropped when they have come", async () => {
  for (const [number, key] of ["a", "b"].entries()) {
    received.set(key, "");
    await store.put(photo(key, 600000, number));
  }
  await queue.sendAll();
  assert.deepEqual([...received.values()].map((text) => text.length), [600000, 600000]);
  assert.equal(store.rows.size, 0);
  assert.deepEqual(shown[0], [1, 2, 0]);
  assert.ok(shown.some(([number, , percent]) => number === 2 && percent > 40));
});

test("what came before the line broke off is not sent again", async () => {
  received.set("a", "");
  await store.put(photo("a"));
  const sent = [];
  queue.request = async (method, ...rest) => {
    if (method === "PATCH") {
      sent.push(rest[1]["Upload-Offset"]);
      if (sent.length === 2) return answer(0);
    }
    return platform(method, ...rest);
  };
  await queue.sendAll();
  assert.equal(store.rows.size, 1);
  await queue.sendAll();
  assert.deepEqual(sent, ["0", "262144", "262144", "524288"]);
  assert.equal(received.get("a").length, 600000);
  assert.equal(store.rows.size, 0);
});

test("a line that is away stops all, and they wait", async () => {
  for (const key of ["a", "b"]) {
    received.set(key, "");
    await store.put(photo(key));
  }
  down = 1;
  await queue.sendAll();
  assert.equal(store.rows.size, 2);
  assert.deepEqual([...received.values()], ["", ""]);
});

test("a photo that is refused stays with the reason, and is not tried again", async () => {
  received.set("a", "");
  await store.put(photo("a"));
  refusing = 422;
  await queue.sendAll();
  refusing = 0;
  await queue.sendAll();
  assert.equal(store.rows.get("a").refused, "不是能打开的照片");
  assert.equal(received.get("a"), "");
});

test("photos of an entry that has still to be sent itself wait for it", async () => {
  received.set("a", "");
  received.set("b", "");
  await store.put(photo("a"));
  await store.put(photo("b"));
  queue.heldKeys = async () => new Set(["a"]);
  await queue.sendAll();
  assert.deepEqual([...store.rows.keys()], ["a"]);
});

test("a photo of a form that was never sent is forgotten after a day", async () => {
  await store.put(photo("a", 10, 1000));
  queue.now = () => 1000 + 3600 * 1000;
  await queue.sendAll();
  assert.equal(store.rows.size, 1);
  queue.now = () => 1000 + 25 * 3600 * 1000;
  await queue.sendAll();
  assert.equal(store.rows.size, 0);
});

test("time and place are told where they are known", () => {
  const told = metadataOf({ key: "k", taken: "2025:06:01 08:30:00", latitude: 24.5, longitude: undefined });
  const pairs = told.split(",").map((pair) => pair.split(" "));
  const words = pairs.map(([name, value]) => [name, Buffer.from(value, "base64").toString()]);
  assert.deepEqual(words, [["name", "k"], ["taken", "2025:06:01 08:30:00"], ["lat", "24.5"]]);
});

test("photos go while who took them is signed in, those of nobody from any page", async () => {
  for (const [key, user] of [["a", "grower"], ["b", "neighbour"], ["c", ""]]) {
    received.set(key, "");
    await store.put({ ...photo(key, 10), user });
  }
  // Another page has signed the grower out.
  queue.user = "grower";
  queue.signedIn = async () => "neighbour";
  await queue.sendAll();
  assert.deepEqual([...store.rows.keys()], ["a", "b"]);
  queue.signedIn = async () => "grower";
  await queue.sendAll();
  assert.deepEqual([...store.rows.keys()], ["b"]);
});

test("of photos that were chosen together all are on their way as soon as one is", async () => {
  for (const key of ["a", "b"]) {
    received.set(key, "");
    await store.put({ ...photo(key), group: "g" });
  }
  queue.request = async (method, ...rest) => (method === "HEAD" ? answer(0) : platform(method, ...rest));
  await queue.sendAll();
  assert.deepEqual([...store.rows.values()].map(({ expected }) => expected), [true, true]);
  assert.equal(queue.failed, true);
});
