// The code on a bottle of pesticide, and a registration number as it is typed.
import assert from "node:assert/strict";
import { test } from "node:test";
import { meansNumber } from "../../trace_app/static/js/bottle-code.js";

const CHANCE = "001123456789012345678901";

test("a pack's code means the registration whose last six digits it has", () => {
  const means = meansNumber(`1150123${"1"}${CHANCE}`);
  assert.ok(means("PD20150123"));
  assert.ok(!means("PD20150124"));
  assert.ok(!means("WP20150123"));
});

test("the code may stand within an address, and the sort of registration counts", () => {
  assert.ok(meansNumber(`https://nyfx.example/q?c=21501231${CHANCE}`)("WP20150123"));
  assert.ok(meansNumber(`31501232${CHANCE}`)("LS20150123"));
});

test("more or fewer digits are no pack's code", () => {
  assert.ok(!meansNumber(`11501231${CHANCE}7`)("PD20150123"));
  assert.ok(!meansNumber(`11501231${CHANCE.slice(1)}`)("PD20150123"));
});

test("a number is known however it is typed, and nothing means no number", () => {
  assert.ok(meansNumber(" pd2015 0123")("PD20150123"));
  assert.ok(meansNumber("ＰＤ20150123")("PD20150123"));
  assert.ok(!meansNumber("")(""));
  assert.ok(!meansNumber("20150123")("PD20150123"));
});
