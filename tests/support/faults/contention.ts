import assert from "node:assert/strict";
import type { Box } from "../process/box.ts";
import { query } from "../store/sql.ts";

/** How many processes rotate, how often each, and how many read meanwhile. */
export interface Load {
  readonly writers: number;
  readonly rotations: number;
  readonly readers: number;
}

/** What a contention came to. */
export interface ContentionReport {
  readonly seconds: number;
  /** Tokens that were issued and then verified while the secret was being rotated. */
  readonly reads: number;
  /** How many of them a rotation had overtaken. */
  readonly refused: number;
  readonly auditRows: number;
}

/**
 * Rotates from many processes at once while others issue and verify tokens, and checks that every rotation
 * happened, one after the other, and that no reader saw anything but a valid or a rotated token.
 */
export async function contend(box: Box, load: Load): Promise<ContentionReport> {
  const { version: first } = await box.json("init");
  const start = performance.now();
  let rotating = true;
  let [reads, refused] = [0, 0];
  const write = async () => {
    for (let i = 0; i < load.rotations; i++) {
      const { code, stderr } = await box.run(["rotate", "--force", "--lock-timeout", "10m"]);
      assert.equal(code, 0, stderr);
      assert.match(stderr, /^audit head \S+\n$/);
    }
  };
  const read = async () => {
    while (rotating) {
      const verdict = await box.json("verify", await box.token());
      assert.ok(verdict.valid || verdict.code === "retired_kid", JSON.stringify(verdict));
      reads++;
      if (!verdict.valid) refused++;
    }
  };
  const writing = Promise.all(Array.from({ length: load.writers }, write))
    .finally(() => rotating = false);
  await Promise.all([writing, ...Array.from({ length: load.readers }, read)]);
  const seconds = (performance.now() - start) / 1000;

  assert.ok(reads > 0);
  const rotations = load.writers * load.rotations;
  checkVersions(box, first + rotations);
  const { rows } = await box.json("audit", "verify");
  assert.ok(rows > 2 * rotations);
  return { seconds, reads, refused, auditRows: rows };
}

function checkVersions(box: Box, last: number): void {
  const found = query(box, "SELECT version, state FROM rekey_versions ORDER BY version");
  assert.deepEqual(
    found.map(({ version }) => version),
    Array.from({ length: last }, (_, index) => index + 1),
  );
  const live = found.filter(({ state }) => state !== "retired");
  assert.deepEqual(live.map(({ version, state }) => [version, state]), [[last, "current"]]);
}
