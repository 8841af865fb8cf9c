import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { THOROUGH } from "../support/process/sample.ts";
import { Box } from "../support/process/box.ts";

const SCRIPT = fileURLToPath(new URL("./verify_export.py", import.meta.url));

/** A box with a log, whose newest row a checkpoint covers, and what an auditor has of it. */
async function audited(...pruning: string[]) {
  const box = new Box();
  await box.run(["init"]);
  for (let i = 0; i < 3; i++) {
    await box.run(["rotate", "--force", "--reason", `r${i} \u00e4\u{1f511}`]);
    await box.token();
  }
  if (pruning.length > 0) {
    const { code, stderr } = await box.run(["audit", "prune", "--force", ...pruning]);
    assert.equal(code, 0, stderr);
  }
  const newest = (await box.run(["audit", "checkpoint"])).stdout;
  const notes = (await box.run(["audit", "checkpoint", "--all"])).stdout;
  const key = (await box.run(["audit", "key"])).stdout;
  const exported = (await box.run(["audit", "export"])).stdout;
  Deno.writeTextFileSync(`${box.home}/notes`, notes);
  Deno.writeTextFileSync(`${box.home}/key`, key);
  return { box, newest, notes, key, exported };
}

/** The exit status of `verify-export`, on a machine without the database. */
async function verdict(box: Box, exported: string, ...more: string[]) {
  using elsewhere = new Box();
  const { home } = box;
  const args = ["audit", "verify-export", "-", "--key", `@${home}/key`];
  return await elsewhere.run([...args, "--checkpoint", `${home}/notes`, ...more], {
    stdin: exported,
  });
}

Deno.test("each rotation signs a checkpoint, and an auditor needs neither the database nor its KEK", async () => {
  const { box, newest, notes, exported } = await audited();
  using _ = box;
  assert.equal(notes.match(/^head /gm)?.length, 4);
  assert.ok(notes.endsWith(newest));
  const whole = await verdict(box, exported);
  assert.equal(whole.code, 0, whole.stderr);
  const rows = exported.trim().split("\n").length;
  assert.match(whole.stdout, new RegExp(`^The ${rows} rows up to the newest checkpoint`));
  assert.doesNotMatch(whole.stderr, /vouches/);
  await box.token();
  const later = (await box.run(["audit", "export"])).stdout;
  assert.match((await verdict(box, later)).stderr, /no checkpoint vouches for the 1 rows/);
  // In an incident the checkpoint may be signed after the export.
  await box.run(["audit", "checkpoint"]);
  Deno.writeTextFileSync(
    `${box.home}/notes`,
    (await box.run(["audit", "checkpoint", "--all"])).stdout,
  );
  const older = await verdict(box, exported);
  assert.equal(older.code, 5);
  assert.match(
    older.stderr,
    new RegExp(
      `^error: The export ends at row ${rows}, and row \\d+ was signed or is expected\nhint: Was it made before`,
    ),
  );
  assert.doesNotMatch(older.stderr, /broken/);
});

Deno.test("what was changed, taken out, or cut off is found, and a forged checkpoint is", async () => {
  const { box, notes, exported } = await audited();
  using _ = box;
  const lines = exported.split("\n");
  const broken = [
    exported.replace('"reason":"r1', '"reason":"r2'),
    lines.toSpliced(3, 1).join("\n"),
    lines.slice(0, 5).join("\n"),
    lines.slice(1).join("\n"),
    lines.with(2, lines[3]!).with(3, lines[2]!).join("\n"),
  ];
  for (const one of broken) {
    const { code, stderr } = await verdict(box, one);
    assert.equal(code, 5, one);
    assert.match(stderr, /^error: The export (is broken|ends) at row \d+/);
  }
  using other = new Box();
  await other.run(["init"]);
  const strange = (await other.run(["audit", "checkpoint"])).stdout;
  const changedHead = notes.replace(
    /^(head \d+:)(.)/m,
    (_, before, letter) => before + (letter === "A" ? "B" : "A"),
  );
  for (const forged of [strange, changedHead]) {
    Deno.writeTextFileSync(`${box.home}/notes`, forged);
    const { code, stderr } = await verdict(box, exported);
    assert.equal(code, 5);
    assert.match(stderr, /Checkpoint 1 of .* is not signed with this key/);
  }
});

Deno.test("a copy in another folder has checkpoints of its own name alone, and the original's cover its rows too", async () => {
  const { box, key } = await audited();
  using _ = box;
  const { home } = box;
  await box.run(["backup", `${home}/backup`]);
  const copy = ["--data-dir", `${home}/copy`, "--store", "database"];
  const restored = await box.run(["restore", `${home}/backup`, ...copy]);
  assert.equal(restored.code, 0, restored.stderr);
  const of = async (...args: string[]) => (await box.run([...args, ...copy])).stdout;
  const exported = await of("audit", "export");
  const original = await verdict(box, exported);
  assert.equal(original.code, 0, original.stderr);
  assert.match(original.stderr, /no checkpoint vouches for the \d+ rows/);
  const own = await of("audit", "key");
  assert.notEqual(own, key);
  Deno.writeTextFileSync(`${home}/key`, own);
  Deno.writeTextFileSync(`${home}/notes`, await of("audit", "checkpoint", "--all"));
  const whole = await verdict(box, exported);
  assert.equal(whole.code, 0, whole.stderr);
  assert.doesNotMatch(whole.stderr, /vouches/);
});

Deno.test("rows that were changed in the database are found with an earlier checkpoint, whoever signs later", async () => {
  const { box } = await audited();
  using _ = box;
  await box.exec("sqlite3", [box.database, "UPDATE rekey_audit SET actor = 'x' WHERE seq = 4"]);
  await box.run(["rotate", "--force"]);
  Deno.writeTextFileSync(
    `${box.home}/notes`,
    (await box.run(["audit", "checkpoint", "--all"])).stdout,
  );
  assert.equal((await verdict(box, (await box.run(["audit", "export"])).stdout)).code, 5);
});

const CHANGES = THOROUGH ? 300 : 60;

for (const pruning of [[], ["--retrievals-older-than", "0s"]]) {
  const what = pruning.length > 0 ? "exports with pruned rows" : "exports";
  Deno.test(`a verifier in another language agrees on each of ${CHANGES} changed ${what}`, async () => {
    const { box, key, notes, exported } = await audited(...pruning);
    using _ = box;
    assert.equal(exported.includes('"pruned":['), pruning.length > 0);
    const bytes = new TextEncoder().encode(exported);
    const changed = Array.from({ length: CHANGES }, (_, n) => {
      const copy = bytes.slice();
      // Not in the middle of a letter of several bytes.
      const at = (n * 7919) % copy.length;
      if (copy[at]! < 128) copy[at] = copy[at] === 65 ? 66 : 65;
      return new TextDecoder().decode(copy);
    });
    const all = [exported, ...changed, exported.slice(0, -2), exported.split("\n")[0]!];
    const { stdout, code } = await box.exec(
      "/usr/bin/python3",
      [SCRIPT, key, `${box.home}/notes`],
      { stdin: all.map((one) => `${JSON.stringify(one)}\n`).join("") },
    );
    assert.equal(code, 0);
    const [count, ...theirs] = stdout.trim().split("\n");
    assert.equal(count, `${notes.match(/^head /gm)!.length} checkpoints`);
    assert.equal(theirs.length, all.length);
    const isWhole = all.map((one) => one === exported);
    assert.deepEqual(theirs, isWhole.map((whole) => whole ? "whole" : "broken"));
    for (let n = 0; n < all.length; n += pruning.length > 0 ? 30 : 15) {
      assert.equal((await verdict(box, all[n]!)).code === 0, isWhole[n], `export ${n}`);
    }
  });
}

const OTHER_ROW = `INSERT INTO rekey_audit (seq, time, event, actor, hash)
  SELECT seq + 1, time, 'JWT rotation completed', 'alice@laptop', '${"A".repeat(43)}'
  FROM rekey_audit ORDER BY seq DESC LIMIT 1`;

for (
  const [what, sql] of [
    ["a row that was added", OTHER_ROW],
    [
      "a row that no checkpoint vouches for yet",
      "UPDATE rekey_audit SET actor = 'x' WHERE hash = ",
    ],
    [
      "the first row, and what was known of the tree is gone",
      `UPDATE rekey_audit SET actor = 'x' WHERE seq = 1; DELETE FROM rekey_audit_tree;
       DELETE FROM rekey_checkpoints`,
    ],
    [
      "rows, and the tree is another's",
      `DELETE FROM rekey_checkpoints; UPDATE rekey_audit_tree SET state = '0', hash = '';
       UPDATE rekey_audit SET actor = 'x'`,
    ],
  ] as const
) {
  Deno.test(`who can only write the database gets nothing signed: ${what}`, async () => {
    const { box } = await audited();
    using _ = box;
    await box.token();
    const newest = "(SELECT hash FROM rekey_audit ORDER BY seq DESC LIMIT 1)";
    await box.exec("sqlite3", [box.database, sql.endsWith("= ") ? sql + newest : sql]);
    await box.run(["rotate", "--force"]);
    const { code, stderr, stdout } = await box.run(["audit", "checkpoint"]);
    assert.equal(code, 5);
    assert.match(stderr, /^error: The audit log is broken at row \d+: it was changed/);
    assert.equal(stdout, "");
    const count = "SELECT count(*) FROM rekey_checkpoints";
    const signed = (await box.exec("sqlite3", [box.database, count])).stdout;
    assert.equal(signed.trim(), sql.includes("DELETE FROM rekey_checkpoints") ? "0" : "4");
  });
}

Deno.test("a head vouches for no row: an export is not checked without a checkpoint", async () => {
  const { box, exported } = await audited();
  using _ = box;
  const { hash, seq } = JSON.parse(exported.trim().split("\n").at(-1)!);
  const forged = exported.replaceAll(/"actor":"[^"]*"/g, '"actor":"alice@laptop"');
  const head = ["--key", `@${box.home}/key`, "--expect-head", `${seq}:${hash}`];
  const { code, stdout, stderr } = await box.run(["audit", "verify-export", "-", ...head], {
    stdin: forged,
  });
  assert.equal(code, 2);
  assert.equal(stdout, "");
  assert.match(stderr, /nothing vouches for its rows/);
  assert.equal((await verdict(box, exported, ...head.slice(2))).code, 0);
  assert.equal((await verdict(box, exported, "--expect-head", `${seq}:${"x".repeat(43)}`)).code, 5);
});
