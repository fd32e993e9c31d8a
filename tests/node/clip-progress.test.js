// How a clip's upload is spoken of, and which troubles pass by.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileSize, filled, fingerprintOf, passesBy, refusalIn } from "../../trace_app/static/js/clip-progress.js";

const MB = 1024 * 1024;

function failed(status, type = "text/html", body = "") {
  const originalResponse = { getStatus: () => status, getHeader: () => type, getBody: () => body };
  return { originalResponse };
}

test("bytes are said as people say them", () => {
  assert.equal(fileSize(0), "0 KB");
  assert.equal(fileSize(1), "1 KB");
  assert.equal(fileSize(36 * 1024), "36 KB");
  assert.equal(fileSize(MB / 10), "0.1 MB");
  assert.equal(fileSize(1.26 * MB), "1.3 MB");
  assert.equal(fileSize(48.4 * MB), "48 MB");
  assert.equal(filled("{done} / {all}", 5 * MB, 100 * MB), "5.0 MB / 100 MB");
});

test("a line that is away and a server that is busy are waited for, a refusal is not", () => {
  assert.ok(passesBy({}));
  for (const status of [409, 423, 429, 460, 500, 502, 503]) assert.ok(passesBy(failed(status)), String(status));
  for (const status of [200, 400, 401, 403, 404, 413, 415, 422]) assert.ok(!passesBy(failed(status)), String(status));
});

test("the platform's own words are shown, and no page of an error", () => {
  assert.equal(refusalIn(failed(422, "text/plain; charset=utf-8", "太大")), "太大");
  assert.equal(refusalIn(failed(400, "text/html", "<h1>")), "");
  assert.equal(refusalIn({}), "");
  for (const status of [409, 429, 503]) assert.equal(refusalIn(failed(status, "text/plain", "稍后再试")), "");
});

test("a file of another record, or another file, is another upload", () => {
  const file = { name: "VID_1.mp4", size: 5, lastModified: 7 };
  assert.equal(fingerprintOf(file, "1"), fingerprintOf({ ...file }, "1"));
  assert.notEqual(fingerprintOf(file, "1"), fingerprintOf(file, "2"));
  assert.notEqual(fingerprintOf(file, "1"), fingerprintOf({ ...file, size: 6 }, "1"));
  assert.notEqual(fingerprintOf(file, "1"), fingerprintOf({ ...file, lastModified: 8 }, "1"));
});
