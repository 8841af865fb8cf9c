import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import type { Head } from "../../../src/audit/events.ts";
import type { Environment } from "../../../src/store/environment.ts";
import { Box } from "../process/box.ts";
import { testEnvironment } from "../store/environment.ts";
import { openSealed } from "../store/sealed.ts";
import { query, sql } from "../store/sql.ts";

/** A database that the binary made, its tokens, and what must stay true of it. */
export interface Specimen extends Disposable {
  readonly box: Box;
  /** For the managers; its clock stands still. */
  readonly environment: Environment;
  /** Where damaged copies are opened: in memory if possible, since every command waits for the disk. */
  readonly workshop: string;
  readonly bytes: Uint8Array;
  /** The true current secret and its kid: they alone may sign. */
  readonly secret: string;
  readonly kid: string;
  readonly tokens: Record<"current" | "grace" | "retired" | "revoked", string>;
  readonly head: Head;
  /** The audit rows as SQL sees them. */
  readonly rows: string;
}

/** Rotations with and without a grace window, one that `revoke` ended, sessions and audit rows. */
export async function makeSpecimen(): Promise<Specimen> {
  const box = new Box();
  const rotate = ["rotate", "--force", "--reason", "quarterly"];
  await succeed(box, ["init"]);
  const revoked = await box.token("alice", "--ttl", "1d");
  await succeed(box, [...rotate, "--grace", "1d"]);
  await succeed(box, ["revoke"]);
  const retired = await box.token("bob", "--ttl", "1d");
  await succeed(box, [...rotate, "--request-id", "job-17"]);
  const grace = await box.token("carol", "--ttl", "1d");
  await succeed(box, [...rotate, "--grace", "1d"]);
  const tokens = { current: await box.token("dave", "--ttl", "1d"), grace, retired, revoked };
  for (const token of Object.values(tokens)) await box.run(["verify", token]);
  const { kid } = await box.json("status");
  const [seq, hash] = (await box.json("audit", "verify")).head.split(":");
  const { value: secret } = await openSealed(box);
  const rows = auditRows(box.database);
  // Closing the last connection empties the write-ahead log into the file and deletes it.
  assert.ok(!existsSync(`${box.database}-wal`), "everything must be in the one file");
  const bytes = Deno.readFileSync(box.database);
  const facts = { bytes, secret, kid, tokens, head: { seq: Number(seq), hash }, rows };
  return { box, ...facts, ...surroundings(box) };
}

function surroundings(box: Box) {
  const environment = testEnvironment();
  const dir = existsSync("/dev/shm") ? "/dev/shm" : box.home;
  const workshop = Deno.makeTempDirSync({ dir, prefix: "rekey-test-" });
  return {
    environment,
    workshop,
    [Symbol.dispose]: () => {
      environment[Symbol.dispose]();
      Deno.removeSync(workshop, { recursive: true });
      box[Symbol.dispose]();
    },
  };
}

async function succeed(box: Box, args: string[]): Promise<void> {
  const { code, stderr } = await box.run(args);
  assert.equal(code, 0, stderr);
}

const LEFT_BEHIND = `
  INSERT INTO rekey_meta VALUES
    ('scrub_pending', 'log'),
    ('stale_kek', '{"id":"AAAAAAAAAAAAAAAA","file":"agiworkforce-AAAAAAAAAAAAAAAA.kek"}');
  INSERT INTO rekey_versions (version, kid, state, location, origin, created_at, synced)
    VALUES (5, 'BBBBBBBBBBBBBBBB', 'pending', 'database', 'generated', 1795000000000, 1);
  INSERT INTO settings VALUES ('jwt_secret.v5', 'eyJhbGciOiJBMjU2R0NNS1ci', 1)`;

/** The same with what cut-off rotations leave: every command begins with a recovery. */
export function interrupted(specimen: Specimen): Specimen {
  sql(specimen.box, LEFT_BEHIND);
  return { ...specimen, bytes: Deno.readFileSync(specimen.box.database) };
}

// With their types, since a number and its text are not the same.
const QUOTED = ["seq", "time", "event", "version", "kid", "location", "duration", "actor"]
  .concat("reason", "hash").map((column) => `quote(${column})`).join();

/** The audit rows of a file, by SQL alone. */
export function auditRows(path: string): string {
  return JSON.stringify(query(path, `SELECT ${QUOTED} FROM rekey_audit ORDER BY seq`));
}

/** Puts a database in its place, without what belonged to the one before it. */
export function putDatabase(path: string, bytes: Uint8Array): void {
  for (const end of ["-wal", "-shm", "-journal", ".lock"]) {
    if (existsSync(path + end)) Deno.removeSync(path + end);
  }
  Deno.writeFileSync(path, bytes, { mode: 0o600 });
}
