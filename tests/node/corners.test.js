// Corners as text, and areas drawn and measured.
import assert from "node:assert/strict";
import { test } from "node:test";
import { cornersOf, lineOf, linesOf } from "../../trace_app/static/js/corners.js";
import { areaMu, HEIGHT, Projection, WIDTH } from "../../trace_app/static/js/projection.js";

const HUNDRED_METRES = 100 / 111320;
const LATITUDE = 24.8852;
const LONGITUDE = 104.3086;
const WIDE = HUNDRED_METRES / Math.cos((LATITUDE * Math.PI) / 180);
const SQUARE = [[0, 0], [0, 1], [1, 1], [1, 0]].map(([y, x]) => [LATITUDE + y * HUNDRED_METRES, LONGITUDE + x * WIDE]);

test("corners are read with Chinese and Western commas, and lines that are none are passed over", () => {
  assert.deepEqual(cornersOf("24.88, 104.30\n24.89，104.31\n\n地头\n24.9"), [[24.88, 104.3], [24.89, 104.31]]);
});

test("a corner is written as it is read", () => {
  const corner = [24.8852, 104.3086];
  assert.equal(lineOf(corner), "24.885200, 104.308600");
  assert.deepEqual(cornersOf(lineOf(corner)), [corner]);
});

test("lines that are no corners are kept when the last one is taken back", () => {
  assert.deepEqual(linesOf("地头\n\n24.88, 104.30\n"), ["地头", "24.88, 104.30"]);
});

test("a field of a hundred metres each way has fifteen mu", () => {
  assert.ok(Math.abs(areaMu(SQUARE) - 15) < 0.02);
});

test("two corners enclose nothing", () => {
  assert.equal(areaMu(SQUARE.slice(0, 2)), 0);
});

test("a point of the drawing and its corner are the same place", () => {
  const projection = Projection.about(SQUARE, null);
  const [lat, lon] = projection.corner(projection.x(LONGITUDE), projection.y(LATITUDE));
  assert.ok(Math.abs(lat - LATITUDE) < 1e-9);
  assert.ok(Math.abs(lon - LONGITUDE) < 1e-9);
});

test("all corners lie within the drawing, about its middle", () => {
  const projection = Projection.about(SQUARE, null);
  for (const [lat, lon] of SQUARE) {
    assert.ok(projection.x(lon) > 0 && projection.x(lon) < WIDTH);
    assert.ok(projection.y(lat) > 0 && projection.y(lat) < HEIGHT);
  }
  assert.equal(projection.step, 10);
});

test("without corners the drawing is about the place that is typed, and there is none without either", () => {
  const projection = Projection.about([], [LATITUDE, LONGITUDE]);
  assert.equal(projection.x(LONGITUDE), WIDTH / 2);
  assert.equal(Projection.about([], null), null);
});
