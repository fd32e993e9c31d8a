// The form of an entry, with stand-ins for the page and a server that refuses.
import assert from "node:assert/strict";
import http from "node:http";
import { after, before, beforeEach, test } from "node:test";
import { Outbox } from "../../trace_app/static/js/outbox.js";
import { prepareForm } from "../../trace_app/static/js/entry-form.js";

const PAGE = "<form id=entry>beside its field</form>";

class FormElement extends EventTarget {
  constructor() {
    super();
    this.dataset = { title: "日常管护" };
    this.button = { disabled: false };
    this.plainly = 0;
    this.content = "as it was typed";
  }

  querySelector(selector) {
    return selector === "button.button" ? this.button : null;
  }

  querySelectorAll() {
    return [];
  }

  getAttribute() {
    return "/field/ginger/care";
  }

  replaceChildren(...nodes) {
    this.content = nodes.join("");
    this.button = { disabled: false };
  }

  requestSubmit() {
    this.plainly += 1;
  }

  async press() {
    const done = this.settled();
    this.dispatchEvent(new Event("submit", { cancelable: true }));
    await done;
  }

  // When the page has been told of the outcome, one way or other.
  async settled() {
    const { content, plainly } = this;
    while (this.content === content && this.plainly === plainly && !went.length) {
      await new Promise((resolve) => { setTimeout(resolve, 5); });
    }
  }
}

let server;
let received;
let keys;
let status;
let typed;
let answer;
let went;
let rows;
let form;
let kept;
let said;

before(async () => {
  server = http.createServer((request, response) => {
    const posted = request.method === "POST";
    if (posted) received += 1;
    let body = "";
    request.on("data", (part) => { body += part; });
    request.on("end", () => { if (posted) keys.push(/name="entry_key"\r\n\r\n(\w+)/.exec(body)[1]); });
    response.writeHead(posted ? status : 200, { "Content-Type": "application/json" });
    response.end(JSON.stringify(posted ? answer : { user: "grower", csrf_token: "a token" }));
  });
  await new Promise((resolve) => { server.listen(0, "127.0.0.1", resolve); });
});

after(() => {
  server.closeAllConnections();
  server.close();
});

beforeEach(async () => {
  received = 0;
  keys = [];
  status = 422;
  typed = "除草";
  globalThis.addEventListener = () => {};
  globalThis.history = { state: null, replaceState(state) { this.state = state; } };
  answer = { errors: { 日期: ["日期不能晚于今天。"] }, messages: [], page: PAGE };
  went = [];
  rows = new Map();
  form = new FormElement();
  kept = { hidden: true };
  said = { hidden: false };
  globalThis.location = { search: "", hash: "", pathname: "/field/ginger/care", assign: (url) => went.push(url) };
  const body = { dataset: { user: "grower" } };
  globalThis.document = { getElementById: () => kept, querySelectorAll: () => [said], body };
  globalThis.scrollTo = () => {};
  globalThis.DOMParser = class {
    parseFromString(page) {
      return { getElementById: () => ({ childNodes: [page], querySelector: () => null, querySelectorAll: () => [] }) };
    }
  };
  const Sent = globalThis.FormData.Sent || globalThis.FormData;
  globalThis.FormData = class extends Sent {
    static Sent = Sent;

    constructor(of) {
      super();
      if (of) this.append("note", typed);
    }
  };
  const store = {
    put: async (entry) => rows.set(entry.key, entry),
    get: async (key) => rows.get(key),
    delete: async (key) => rows.delete(key),
    all: async () => [...rows.values()],
  };
  await prepareForm(form, new Outbox(store, { home: `http://127.0.0.1:${server.address().port}`, waitMs: 2000 }));
});

test("a refused entry is posted once, and the page says why", async () => {
  await form.press();
  assert.equal(received, 1);
  assert.equal(form.plainly, 0);
  assert.equal(form.content, PAGE);
  assert.equal(rows.size, 0);
  // What was said of the entry before is not said of this one.
  assert.ok(said.hidden);
});

test("what was mended is posted once more by the same form", async () => {
  await form.press();
  answer = { ...answer, page: `${PAGE} again` };
  await form.press();
  assert.equal(received, 2);
  assert.equal(form.plainly, 0);
  assert.equal(form.content, `${PAGE} again`);
});

test("a refusal without a page is kept, and told of where entries wait", async () => {
  answer = { errors: {}, messages: ["太大"] };
  await form.press();
  assert.equal(received, 1);
  assert.equal(form.plainly, 0);
  assert.deepEqual(went, ["/field/"]);
  assert.equal(rows.size, 1);
});

test("who goes back and saves what was sent means the same entry, with other words another", async () => {
  status = 201;
  answer = { id: 1, url: "/batches/1" };
  for (const words of ["除草", "除草", "清沟"]) {
    typed = words;
    went.length = 0;
    await form.press();
    assert.deepEqual(went, ["/batches/1"]);
  }
  assert.equal(keys.length, 3);
  assert.equal(keys[0], keys[1]);
  assert.notEqual(keys[1], keys[2]);
});
