import assert from "node:assert/strict";
import { fittedTable } from "../../src/cli/format.ts";
import { instant, moment, timeOfDay } from "../../src/cli/flags/times.ts";

Deno.test("in a narrow terminal a last cell that is too long goes below its row", () => {
  const rows = [["SEQ", "WHO", "WHY"], ["1", "root@host", "short"], [
    "2",
    "root@host",
    "x".repeat(20),
  ]];
  assert.deepEqual(fittedTable(rows, 25), [
    "SEQ  WHO        WHY",
    "1    root@host  short",
    "2    root@host",
    `    ${"x".repeat(20)}`,
  ]);
  assert.ok(fittedTable(rows, 20).every((line) => line.length <= 20));
});

Deno.test("--at: a time of day is the next one of local time", () => {
  const now = new Date();
  for (const text of ["03:00", "3:00", "00:00", "23:59"]) {
    const at = new Date(moment(text));
    const { hour, minute } = timeOfDay(text);
    assert.deepEqual([at.getHours(), at.getMinutes()], [hour, minute]);
    const hours = (at.getTime() - now.getTime()) / 3_600_000;
    assert.ok(hours > 0 && hours <= 25.1, `${hours}`);
  }
  for (const text of ["24:00", "3:60", "03", "03:00:00", "03:00Z"]) {
    assert.throws(() => moment(text));
    assert.throws(() => timeOfDay(text));
  }
  assert.throws(() => moment("2001-01-01T03:00:00Z"), /passed/);
});

Deno.test("a date that does not exist is refused, and not taken for a later one", () => {
  for (const day of ["2027-02-29", "2027-02-30", "2027-04-31", "2027-13-01", "2027-00-10"]) {
    for (const text of [day, `${day}T03:00:00Z`, `${day}T03:00:00+02:00`]) {
      assert.throws(() => instant(text), text);
      assert.throws(() => moment(text), /Write /, text);
    }
  }
  assert.equal(instant("2028-02-29T03:00:00+02:00"), Date.UTC(2028, 1, 29, 1));
});
