import assert from "node:assert/strict";
import type { AuditRow } from "../../src/audit/events.ts";
import { isRekeyError } from "../../src/core/errors.ts";
import { journalEntry } from "../../src/stream/journal.ts";
import { placeOf, publicName, sinkName } from "../../src/stream/names.ts";
import { messageOf } from "../../src/stream/row_text.ts";
import { counted, syslogMessage } from "../../src/stream/syslog.ts";

// What a reason must not do: end a line, a value, a message or the structured data, and begin another one.
const HOSTILE =
  'a\nREKEY_ACTOR=root@vm\n{"seq":9}\r<80>1 - - - - - [rekey@32473 seq="9"] x\x1b[2J"] \\ \u2028\u202e\x85';

const row: AuditRow = {
  seq: 7,
  time: "2026-11-30T06:00:00.123Z",
  event: "JWT secret rotation completed",
  version: 2,
  kid: "KfRo3R1rPWbfq0kO",
  location: "keyring",
  duration: null,
  actor: "op@vm",
  reason: HOSTILE,
  hash: "h".repeat(43),
};

/** Fields of an entry, read as the journal's documentation says. */
function read(entry: Uint8Array): [string, string][] {
  const fields: [string, string][] = [];
  const text = (from: number, to: number) => new TextDecoder().decode(entry.subarray(from, to));
  for (let at = 0; at < entry.length;) {
    const end = entry.indexOf(10, at);
    const equals = entry.indexOf(61, at);
    if (equals >= 0 && equals < end) {
      fields.push([text(at, equals), text(equals + 1, end)]);
      at = end + 1;
      continue;
    }
    const length = Number(
      new DataView(entry.buffer, entry.byteOffset + end + 1).getBigUint64(0, true),
    );
    const from = end + 9;
    fields.push([text(at, end), text(from, from + length)]);
    assert.equal(entry[from + length], 10);
    at = from + length + 1;
  }
  return fields;
}

Deno.test("an entry of the journal has each column as a field, whatever a reason holds", () => {
  assert.deepEqual(read(journalEntry("agiworkforce", row)), [
    ["MESSAGE", messageOf(row)],
    ["PRIORITY", "5"],
    ["SYSLOG_IDENTIFIER", "rekey"],
    ["SYSLOG_FACILITY", "10"],
    ["REKEY_APP", "agiworkforce"],
    ["REKEY_SEQ", "7"],
    ["REKEY_TIME", row.time],
    ["REKEY_EVENT", row.event],
    ["REKEY_VERSION", "2"],
    ["REKEY_KID", row.kid],
    ["REKEY_LOCATION", "keyring"],
    ["REKEY_ACTOR", "op@vm"],
    ["REKEY_REASON", HOSTILE],
    ["REKEY_HASH", row.hash],
  ]);
});

Deno.test("a message of syslog is one line, with structured data that a reason cannot end", () => {
  const message = syslogMessage("agiworkforce", "vm", row);
  assert.match(
    message,
    /^<85>1 2026-11-30T06:00:00\.123Z vm rekey - rotationCompleted \[rekey@32473 /,
  );
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(message, /[\0-\x1f\x7f-\x9f\u2028\u202e]/);
  const [, data] = /^.*? \[(rekey@32473(?: \w+="(?:[^"\\\]]|\\["\\\]])*")*)\] JWT /.exec(message)!;
  const values = [...data!.matchAll(/ (\w+)="((?:[^"\\\]]|\\.)*)"/g)];
  assert.deepEqual(
    values.map(([, name]) => name),
    ["app", "seq", "time", "event", "version", "kid", "location", "actor", "reason", "hash"],
  );
  assert.equal(values[7]![2], "op@vm");
  assert.equal(
    new TextDecoder().decode(counted(new TextEncoder().encode("\u00fcber"))),
    "5 \u00fcber",
  );
});

Deno.test("a row's line for people is one line, and says what, who and why", () => {
  const plain = { ...row, reason: "quarterly" };
  assert.equal(
    messageOf(plain),
    "JWT secret rotation completed: version 2 (kid KfRo3R1rPWbfq0kO, keyring) by op@vm: quarterly",
  );
  assert.equal(
    messageOf({ ...plain, version: null, kid: null, location: null, reason: null }),
    "JWT secret rotation completed by op@vm",
  );
  assert.doesNotMatch(messageOf(row), /[\n\r]/);
});

Deno.test("a value that no datagram could hold is cut, so that it does not hold up the rows after it", () => {
  const long = { ...row, reason: "\u20ac".repeat(100_000) };
  assert.ok(journalEntry("agiworkforce", long).length < 100_000);
  assert.ok(new TextEncoder().encode(syslogMessage("agiworkforce", "vm", long)).length < 100_000);
});

Deno.test("names of sinks: what is no sink is refused, and paths are absolute", () => {
  const flag = (text: string) => sinkName(text, "--audit-to");
  for (
    const name of [
      "journal",
      "syslog",
      "fd:3",
      "/var/log/a.jsonl",
      "journal:/run/j",
      "syslog:/run/s",
    ]
  ) {
    assert.equal(flag(name), name);
    assert.equal(sinkName(name, "REKEY_AUDIT_TO"), name);
  }
  assert.equal(flag("./audit.jsonl"), `${Deno.cwd()}/audit.jsonl`);
  assert.equal(flag("journal:./j"), `journal:${Deno.cwd()}/j`);
  const refused = [
    ...["jurnal", "fd:", "fd:0", "fd:-1", "fd:x", "fd:999999", "journal:", "syslog:j"],
    ...["https://example.org/", "~/a.jsonl", "$HOME/a", `syslog:/${"s".repeat(107)}`, " /a"],
    ...["/a,b", "/a\nb", "/a\x1b[31m", "/d/a.db", "/d/a.db-wal", "/d/a.DB-shm", "./a.db.lock"],
  ];
  for (const name of refused) {
    assert.throws(() => flag(name), (error) => isRekeyError(error, "usage"), name);
  }
  assert.throws(() => sinkName("./a", "REKEY_AUDIT_TO"), (error) => isRekeyError(error, "usage"));
  for (const url of ["syslog://user:hunter@logs.example:514", "journal:///run/a", "https://a/b"]) {
    const asUrl = (error: Error) =>
      isRekeyError(error, "usage") && / is a URL$/.test(error.message);
    for (const from of ["--audit-to", "REKEY_AUDIT_TO"] as const) {
      assert.throws(() => sinkName(url, from), asUrl, "and is not repeated");
    }
  }
});

Deno.test("names of sinks: what each stands for, and what others may know of it", () => {
  assert.deepEqual(placeOf("journal"), { kind: "journal", path: "/run/systemd/journal/socket" });
  assert.deepEqual(placeOf("syslog"), { kind: "syslog", path: "/dev/log" });
  assert.deepEqual(placeOf("syslog:/run/s"), { kind: "syslog", path: "/run/s" });
  assert.deepEqual(placeOf("fd:3"), { kind: "descriptor", number: 3 });
  assert.deepEqual(placeOf("/a"), { kind: "file", path: "/a" });
  const names = ["journal", "fd:3", "/home/op/a.jsonl", "syslog:/home/op/s", "C:\\op\\a.jsonl"];
  assert.deepEqual(
    names.map(publicName),
    ["journal", "fd:3", "file:a.jsonl", "syslog:s", "file:a.jsonl"],
  );
});
