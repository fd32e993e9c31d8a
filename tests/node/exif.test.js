// What a camera wrote, read from the first bytes of a file.
import assert from "node:assert/strict";
import { test } from "node:test";
import { exifIn } from "../../trace_app/static/js/exif.js";

const ascii = (text) => [...`${text}\0`].map((letter) => letter.charCodeAt(0));

// A JPEG's beginning with a TIFF structure of three directories, in either order of bytes.
function camera({ little = true, orientation = 6, south = false, taken = "2025:06:01 08:30:00" } = {}) {
  const bytes = new Uint8Array(400);
  const view = new DataView(bytes.buffer);
  bytes.set([0xff, 0xd8, 0xff, 0xe1]);
  view.setUint16(4, 380);
  bytes.set([...ascii("Exif"), 0], 6);
  const start = 12;
  const short = (at, value) => view.setUint16(start + at, value, little);
  const long = (at, value) => view.setUint32(start + at, value, little);
  short(0, little ? 0x4949 : 0x4d4d);
  short(2, 42);
  long(4, 8);
  const entry = (at, tag, type, count) => {
    short(at, tag);
    short(at + 2, type);
    long(at + 4, count);
  };
  short(8, 3);
  entry(10, 0x0112, 3, 1);
  short(18, orientation);
  entry(22, 0x8769, 4, 1);
  long(30, 60);
  entry(34, 0x8825, 4, 1);
  long(42, 120);
  short(60, 1);
  entry(62, 0x9003, 2, 20);
  long(70, 90);
  bytes.set(ascii(taken), start + 90);
  short(120, 4);
  entry(122, 1, 2, 2);
  bytes.set(ascii(south ? "S" : "N"), start + 130);
  entry(134, 2, 5, 3);
  long(142, 200);
  entry(146, 3, 2, 2);
  bytes.set(ascii("E"), start + 154);
  entry(158, 4, 5, 3);
  long(166, 230);
  [[24, 1], [52, 1], [4800, 100], [104, 1], [18, 1], [36, 1]].forEach(([over, under], number) => {
    const at = 200 + number * 8 + (number > 2 ? 6 : 0);
    long(at, over);
    long(at + 4, under);
  });
  return bytes.buffer;
}

for (const little of [true, false]) {
  test(`orientation, time and place are read, ${little ? "low" : "high"} byte first`, () => {
    const file = camera({ little });
    const told = exifIn(file);
    assert.equal(told.orientation, 6);
    assert.equal(new Uint8Array(file)[told.orientationAt], 6);
    assert.equal(told.taken, "2025:06:01 08:30:00");
    assert.ok(Math.abs(told.latitude - 24.88) < 1e-6);
    assert.ok(Math.abs(told.longitude - 104.31) < 1e-6);
  });
}

test("the south is below nothing", () => {
  assert.ok(exifIn(camera({ south: true })).latitude < -24);
});

test("what is damaged or no JPEG says nothing, wherever it breaks off", () => {
  const whole = new Uint8Array(camera());
  for (let length = 0; length < whole.length; length += 1) {
    assert.equal(typeof exifIn(whole.slice(0, length).buffer), "object");
  }
  for (let place = 0; place < whole.length; place += 1) {
    const damaged = whole.slice();
    damaged[place] = 255;
    assert.equal(typeof exifIn(damaged.buffer), "object");
  }
  assert.deepEqual(exifIn(new TextEncoder().encode("\x89PNG not a JPEG at all").buffer), {});
});
