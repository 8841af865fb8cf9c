import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import fc from "fast-check";
import { type Checkpoint, openCheckpoint, splitNotes } from "../../src/audit/log_checkpoints.ts";
import { ExportCheck } from "../../src/audit/export_check.ts";
import { EVENTS } from "../../src/audit/events.ts";
import { PrunedRanges } from "../../src/audit/gaps.ts";
import { TreeHead, TreeRun } from "../../src/audit/merkle.ts";
import { NoteSigner, NoteVerifier } from "../../src/audit/signed_note.ts";
import { THOROUGH } from "../support/process/sample.ts";

const ROWS = 24;
// Row 25 is after the last of them. One is in the middle of rows that are pruned below.
const SIZES = [7, 8, 10, 15, ROWS];
const RANGES = [[3, 5], [9, 14], [17, 17]] as const;

function digestOf(ranges: readonly (readonly [number, number])[]): string {
  const named = new PrunedRanges();
  for (const [first, last] of ranges) named.add({ first, last });
  return named.digest();
}

const lines = Array.from({ length: ROWS + 1 }, (_, index) =>
  JSON.stringify({
    seq: index + 1,
    time: "2026-11-29T00:00:00.000Z",
    event: index === ROWS - 2 ? EVENTS.pruned : `event ${index % 5}`,
    actor: "op@vm",
    reason: index === ROWS - 2 ? `10 rows: all; gaps sha256:${digestOf(RANGES)}` : null,
    hash: randomBytes(32).toString("base64url"),
  }));

function gapLine(first: number, last: number): string {
  const run = new TreeRun(first - 1);
  for (const line of lines.slice(first - 1, last)) run.append(line);
  return JSON.stringify({ pruned: [first, last], tree: String(run).split(" ") });
}

/** The lines of an export from which rows were pruned. */
function without(ranges: readonly (readonly [number, number])[]): string[] {
  const left = lines.map((line, index): [number, string] => [index + 1, line])
    .filter(([seq]) => !ranges.some(([first, last]) => seq >= first && seq <= last));
  const gaps = ranges.map(([first, last]): [number, string] => [first, gapLine(first, last)]);
  return [...left, ...gaps].sort(([a], [b]) => a - b).map(([, line]) => line);
}

const pruned = without(RANGES);

function checkpointOf(size: number): Checkpoint {
  const tree = new TreeHead();
  for (const line of lines.slice(0, size)) tree.append(line);
  const head = { seq: size, hash: JSON.parse(lines[size - 1]!).hash };
  return { origin: "rekey/test/1", size, root: tree.root().toBase64(), head };
}

const checkpoints = SIZES.map(checkpointOf);

function checked(exported: readonly (string | Uint8Array)[], by = checkpoints) {
  const check = new ExportCheck(by);
  for (const line of exported) {
    check.line(typeof line === "string" ? new TextEncoder().encode(line) : line);
  }
  return check.end();
}

Deno.test("an export as it was signed is whole, and rows after the newest checkpoint are said to be unsigned", () => {
  const { rows, covered, bad, head } = checked(lines);
  assert.deepEqual({ rows, covered, bad, seq: head?.seq }, {
    rows: ROWS + 1,
    covered: ROWS,
    bad: null,
    seq: ROWS + 1,
  });
});

Deno.test("an export without the rows that were pruned is whole", () => {
  const { rows, covered, bad, head, pruned: gone } = checked(pruned);
  assert.deepEqual({ rows, covered, bad, gone, seq: head?.seq }, {
    rows: ROWS + 1 - 10,
    covered: ROWS - 10,
    gone: 10,
    bad: null,
    seq: ROWS + 1,
  });
});

/** The number of the last row that a line of an export is about. */
function lastRow(line: string): number {
  const { seq, pruned } = JSON.parse(line);
  return seq ?? pruned[1];
}

for (
  const [what, exported, runs] of [["a signed row", lines, 10_000], [
    "an export with gaps",
    pruned,
    THOROUGH ? 10_000 : 2_000,
  ]] as const
) {
  Deno.test(`every change of one byte of ${what} is found, at its row or the rows of its checkpoint`, () => {
    // The last line is after the newest checkpoint.
    const place = fc.nat(exported.length - 2);
    const change = fc.tuple(place, fc.nat(), fc.integer({ min: 1, max: 127 }));
    fc.assert(
      fc.property(change, ([row, at, by]) => {
        const bytes = new TextEncoder().encode(exported[row]);
        bytes[at % bytes.length]! ^= by;
        const { bad } = checked([...exported.slice(0, row), bytes, ...exported.slice(row + 1)]);
        assert.ok(bad !== null && bad.seq <= Math.max(lastRow(exported[row]!), ROWS - 1));
      }),
      { numRuns: runs },
    );
  });

  Deno.test(`every removal, repetition, exchange and cut of ${what} is found`, () => {
    const count = exported.length - 1;
    for (let one = 0; one < count; one++) {
      assert.notEqual(checked(exported.toSpliced(one, 1)).bad, null, `line ${one + 1} removed`);
      assert.notEqual(checked(exported.toSpliced(one, 0, exported[one]!)).bad, null);
      assert.notEqual(checked(exported.slice(0, one)).bad, null, `cut after line ${one}`);
      for (let other = one + 1; other < count; other++) {
        const exchanged = exported.with(one, exported[other]!).with(other, exported[one]!);
        assert.notEqual(checked(exchanged).bad, null, `lines ${one + 1} and ${other + 1}`);
      }
    }
  });
}

Deno.test("a row is not taken for a pruned one because its hash in the tree is right", () => {
  for (let row = 1; row <= ROWS; row++) {
    const isPruned = RANGES.some(([first, last]) => row >= first && row <= last);
    if (isPruned) continue;
    const more = [...RANGES, [row, row] as const].sort(([a], [b]) => a - b);
    assert.notEqual(checked(without(more)).bad, null, `row ${row} hidden`);
    assert.notEqual(checked(without([[row, row]])).bad, null, `row ${row} alone`);
  }
  const halves = without([[3, 3], [4, 5], ...RANGES.slice(1)]);
  assert.notEqual(checked(halves).bad, null, "one gap as two");
});

Deno.test("the line of pruned rows has nothing else in it, which no checkpoint would vouch for", () => {
  const at = pruned.findIndex((line) => line.includes('"pruned":['));
  const line = pruned[at]!;
  const { pruned: [first, last] } = JSON.parse(line);
  const others = [
    line.replace("{", '{"seq":1,"event":"JWT secret created",'),
    line.replace(/}$/, ',"reason":"x"}'),
    line.replace("{", `{"pruned":[${first},${last + 1}],`),
    line.replace("[", "[ "),
    `${line} `,
  ];
  for (const other of others) {
    assert.equal(checked(pruned.with(at, other)).bad?.seq, first, other);
  }
});

Deno.test("what names the pruned rows must be signed, and the newest of such rows counts", () => {
  const earlier = checkpoints.slice(0, -1);
  assert.match(checked(pruned, earlier).bad!.why, /no checkpoint vouches for it/);
  const forged = JSON.stringify({
    ...JSON.parse(lines[ROWS]!),
    event: EVENTS.pruned,
    reason: `1 row: all; gaps sha256:${digestOf([...RANGES, [20, 20]])}`,
  });
  assert.notEqual(checked(without([...RANGES, [20, 20]]).with(-1, forged)).bad, null);
  assert.notEqual(checked(pruned.with(-1, forged)).bad, null);
});

Deno.test("rows that were made up after a checkpoint, with numbers in order, are found", () => {
  const forged = lines.map((line, index) => {
    const row = JSON.parse(line);
    return index === 18 ? JSON.stringify({ ...row, actor: "someone@else" }) : line;
  });
  const { bad, covered } = checked(forged);
  assert.deepEqual([bad?.seq, covered], [16, 15]);
  assert.match(bad!.why, /one of the rows 16 to 24/);
});

Deno.test("a head that the log must have is found, or its lack", () => {
  const check = (hash: string) => {
    const check = new ExportCheck([], [{ seq: 5, hash }]);
    for (const line of lines) check.line(new TextEncoder().encode(line));
    return check.end().bad?.seq;
  };
  assert.equal(check(JSON.parse(lines[4]!).hash), undefined);
  assert.equal(check("x".repeat(43)), 5);
});

Deno.test("a tree's hash is that of RFC 9162, whatever state it was stored in meanwhile", () => {
  fc.assert(fc.property(fc.array(fc.string(), { maxLength: 70 }), (entries) => {
    let tree = new TreeHead();
    for (const entry of entries) {
      tree.append(entry);
      tree = TreeHead.parse(String(tree))!;
    }
    assert.equal(tree.root().toBase64(), recursively(entries).toBase64());
  }));
  for (const text of ["", "1", "2 x", "-1", "1 AAAA", "01"]) {
    assert.equal(TreeHead.parse(text), undefined);
  }
});

/** As the RFC defines it. */
function recursively(entries: readonly string[]): Uint8Array {
  const tree = new TreeHead();
  if (entries.length <= 1) {
    for (const entry of entries) tree.append(entry);
    return tree.root();
  }
  const half = 2 ** Math.floor(Math.log2(entries.length - 1));
  const sides = [entries.slice(0, half), entries.slice(half)].map(recursively);
  return new Uint8Array(hashOf(Uint8Array.of(1), ...sides));
}

function hashOf(...parts: Uint8Array[]): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

Deno.test("a note opens with its key only, and not when any character of it was changed", () => {
  const signer = new NoteSigner("rekey/test/1", randomBytes(32));
  const note = signer.sign("rekey/test/1\n5\nabc\n");
  const key = NoteVerifier.parse(String(signer.verifier))!;
  assert.equal(key.open(note), "rekey/test/1\n5\nabc\n");
  for (let at = 0; at < note.length; at++) {
    const changed = note.slice(0, at) + (note[at] === "A" ? "B" : "A") + note.slice(at + 1);
    // The last character of base64 may have bits that no byte has.
    if (at < note.length - 4) assert.equal(key.open(changed), undefined, `character ${at}`);
  }
  assert.equal(new NoteSigner("rekey/test/1", randomBytes(32)).verifier.open(note), undefined);
  assert.equal(new NoteSigner("rekey/test/2", randomBytes(32)).verifier.open(note), undefined);
  assert.equal(key.open(`${note}\u2014 witness.example AAAAAAAA\n`), "rekey/test/1\n5\nabc\n");
  for (const text of ["", "\n\n", "a\n\nb\n", "a\n\n\u2014 a b"]) {
    assert.equal(key.open(text), undefined);
  }
  assert.equal(NoteVerifier.parse(String(key).replace(/\+../, "+zz")), undefined);
});

Deno.test("what is no public key of a log is not taken for one, whatever its id says", () => {
  // A compressed point with this y is on no curve (RFC 8032 §5.1.3).
  for (const bytes of [[2, ...new Uint8Array(31)], new Uint8Array(31)]) {
    const key = Uint8Array.of(1, ...bytes);
    const id = createHash("sha256").update("rekey/test/1\n").update(key).digest("hex").slice(0, 8);
    assert.equal(NoteVerifier.parse(`rekey/test/1+${id}+${key.toBase64()}`), undefined);
  }
});

Deno.test("notes that follow one another in a file are told apart", () => {
  const signer = new NoteSigner("rekey/test/1", randomBytes(32));
  const notes = ["a\n1\n", "b\n2\n", "c\n3\n"].map((text) => signer.sign(text));
  assert.deepEqual(splitNotes(notes.join("")), notes);
  assert.deepEqual(splitNotes(notes.join("").replaceAll("\n", "\r\n")), notes);
  assert.deepEqual(splitNotes(notes[0]!), [notes[0]]);
  assert.deepEqual(splitNotes("no\n\nnote\n"), []);
});

Deno.test("what is signed and is no checkpoint of this log is not taken for one", () => {
  const signer = new NoteSigner("rekey/test/1", randomBytes(32));
  const { root, head } = checkpoints[0]!;
  const right = ["rekey/test/1", "7", root, `head 7:${head.hash}`, ""];
  const open = (parts: string[]) => openCheckpoint(signer.verifier, signer.sign(parts.join("\n")));
  assert.deepEqual(open(right), checkpoints[0]);
  for (
    const wrong of [
      right.with(0, "rekey/other/1"),
      right.with(1, "8"),
      right.with(1, "07"),
      right.with(2, "AAAA"),
      right.with(3, "head 7:x"),
      right.toSpliced(3, 1),
      right.toSpliced(4, 0, "more"),
    ]
  ) {
    assert.equal(open(wrong), undefined, wrong.join("|"));
  }
});
