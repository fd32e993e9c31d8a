// What waits on a phone, summed up as it was typed.
import assert from "node:assert/strict";
import { test } from "node:test";
import { amountOf, sumOf } from "../../trace_app/static/js/waiting-here.js";

test("weights are read as they are typed at the scales", () => {
  for (const [text, amount] of [["31", 31], ["300斤", 150], ["1,200.5", 1200.5], ["12 公斤", 12], ["３斤", 1.5]]) {
    assert.equal(amountOf(text, "kg"), amount);
  }
  for (const text of ["", "两筐", "3 筐"]) assert.equal(amountOf(text, "kg"), undefined);
  assert.equal(amountOf("12", "pcs"), 12);
  assert.equal(amountOf("12斤", "pcs"), undefined);
});

test("a sum is told only where all of it is known", () => {
  assert.equal(sumOf(["0.1", "0.2", "300斤"], "kg"), 150.3);
  assert.equal(sumOf(["1", "两筐"], "kg"), undefined);
});
