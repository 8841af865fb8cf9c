import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import fc from "fast-check";
import { type Checkpoint, openCheckpoint, splitNotes } from "../../src/audit/log_checkpoints.ts";
import { ExportCheck } from "../../src/audit/export_check.ts";
import { TreeHead } from "../../src/audit/merkle.ts";
import { NoteSigner, NoteVerifier } from "../../src/audit/signed_note.ts";

const ROWS = 24;
// Row 25 is after the last of them.
const SIZES = [7, 8, 15, ROWS];

const lines = Array.from({ length: ROWS + 1 }, (_, index) =>
  JSON.stringify({
    seq: index + 1,
    time: "2026-11-29T00:00:00.000Z",
    event: `event ${index % 5}`,
    actor: "op@vm",
    hash: randomBytes(32).toString("base64url"),
  }));

function checkpointOf(size: number): Checkpoint {
  const tree = new TreeHead();
  for (const line of lines.slice(0, size)) tree.append(line);
  const head = { seq: size, hash: JSON.parse(lines[size - 1]!).hash };
  return { origin: "rekey/test/1", size, root: tree.root().toBase64(), head };
}

const checkpoints = SIZES.map(checkpointOf);

function checked(exported: readonly string[]) {
  const check = new ExportCheck(checkpoints);
  for (const line of exported) check.line(new TextEncoder().encode(line));
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

const place = fc.nat(ROWS - 1);

Deno.test("every change of one byte of a signed row is found, at its row or the rows of its checkpoint", () => {
  const change = fc.tuple(place, fc.nat(), fc.integer({ min: 1, max: 127 }));
  fc.assert(
    fc.property(change, ([row, at, by]) => {
      const bytes = new TextEncoder().encode(lines[row]);
      bytes[at % bytes.length]! ^= by;
      const exported = lines.map((line) => new TextEncoder().encode(line)).with(row, bytes);
      const check = new ExportCheck(checkpoints);
      for (const line of exported) check.line(line);
      const { bad } = check.end();
      assert.ok(bad !== null && bad.seq <= row + 1);
    }),
    { numRuns: 10_000 },
  );
});

Deno.test("every removal, repetition, exchange and cut of signed rows is found", () => {
  for (let one = 0; one < ROWS; one++) {
    assert.notEqual(checked(lines.toSpliced(one, 1)).bad, null, `row ${one + 1} removed`);
    assert.notEqual(checked(lines.toSpliced(one, 0, lines[one]!)).bad, null);
    assert.notEqual(checked(lines.slice(0, one)).bad, null, `cut after row ${one}`);
    for (let other = one + 1; other < ROWS; other++) {
      const exchanged = lines.with(one, lines[other]!).with(other, lines[one]!);
      assert.notEqual(checked(exchanged).bad, null, `rows ${one + 1} and ${other + 1}`);
    }
  }
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
