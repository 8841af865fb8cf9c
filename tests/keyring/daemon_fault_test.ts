import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { type Held, holdAfterMessage, type Sender } from "../support/keyring/hold.ts";
import { ACCOUNT, KeyringBox, PATIENT } from "../support/keyring/keyring_box.ts";
import { query, sql } from "../support/store/sql.ts";
import { THOROUGH } from "../support/process/sample.ts";

/** What happens to the daemon, and how it comes back. */
interface Fault {
  readonly name: string;
  readonly strike: (box: KeyringBox) => void | Promise<void>;
  readonly fix: (box: KeyringBox) => void | Promise<void>;
  /** After which of each sender's twenty messages in a rotation it happens: the first one, and every so many. */
  readonly first: number;
  readonly every: number;
}

/** For how long a rotation waits for a keyring, in seconds. */
const WAITS = 8;
/** Its longest way to its end once the keyring is gone: that is waited for once, and the machine may stand still besides. */
const LONGEST_MS = 15_500;

const FAULTS: readonly Fault[] = [
  {
    name: "killed",
    strike: (box) => box.kill(),
    fix: (box) => box.unlock(),
    first: 1,
    every: THOROUGH ? 6 : 13,
  },
  {
    name: "locked",
    strike: (box) => box.lock(),
    fix: (box) => box.unlock(),
    first: 2,
    every: THOROUGH ? 6 : 13,
  },
  {
    name: "stopped",
    strike: (box) => box.stop(),
    fix: (box) => box.cont(),
    first: 3,
    // Each of them costs the time-outs of half a dozen commands.
    every: THOROUGH ? 9 : 12,
  },
];

const SENDERS: Sender[] = ["main thread", "addon"];

for (const fault of FAULTS) {
  const { name, first, every } = fault;
  Deno.test(`a keyring that is ${name} in the middle of a rotation: done or not done, and the next command clears up`, async () => {
    await using box = await KeyringBox.start();
    await box.run(["init"]);
    const ends = new Set<number>();
    for (const sender of SENDERS) {
      for (let message = first;; message += every) {
        const held = await faultAt(box, fault, sender, message);
        if (!held.held) break;
        ends.add(held.code);
      }
    }
    assert.deepEqual([...ends].sort(), [0, 4], "it must fall before the commit, and after it");
  });
}

/** One rotation with the fault after its n-th message, and everything that must be true of it. */
async function faultAt(
  box: KeyringBox,
  fault: Fault,
  sender: Sender,
  message: number,
): Promise<Held> {
  const before = database(box).current;
  const old = await box.token();
  const args = ["rotate", "--force"];
  box.env.REKEY_KEYRING_TIMEOUT = `${WAITS}s`;
  const held = await holdAfterMessage(box, sender, message, args, () => fault.strike(box));
  if (!held.held) return held;

  const where = `after message ${message} of the ${sender}: ${held.stderr}`;
  const { current, unsynced } = database(box);
  assert.ok(held.rest < LONGEST_MS, `${held.rest} ms ${where}`);
  assert.equal(held.code, current === before ? 4 : 0, where);
  assert.ok(current >= before, where);
  const warned = /warning: the keyring could not be updated/.test(held.stderr);
  assert.equal(warned, held.code === 0 && unsynced, where);
  await checkAway(box, current === before ? old : undefined);

  await fault.fix(box);
  waitAMinute(box);
  box.env.REKEY_KEYRING_TIMEOUT = PATIENT;
  await checkBack(box, current, old, current === before);
  return held;
}

/** While the keyring is away no token is called invalid: it cannot be known. */
async function checkAway(box: KeyringBox, current: string | undefined): Promise<void> {
  const commands = [["issue", "--sub", "x"], ["verify", strangersToken()]];
  if (current !== undefined) commands.push(["verify", current]);
  const env = { REKEY_KEYRING_TIMEOUT: "1s" };
  const ended = await Promise.all(commands.map((args) => box.run(args, { env })));
  for (const { code, stdout, stderr } of ended) assert.deepEqual([code, stdout], [4, ""], stderr);
}

/** The first command finds the keyring back and leaves one secret, in one place. */
async function checkBack(box: KeyringBox, version: number, old: string, valid: boolean) {
  const verdict = await box.json("verify", old);
  assert.equal(verdict.valid, valid);
  if (!valid) assert.equal(verdict.code, "retired_kid");
  assert.deepEqual(database(box), { current: version, unsynced: false });
  assert.deepEqual(await accounts(box), [ACCOUNT]);
  const { kid } = await box.json("status");
  const published = createHmac("sha256", await box.lookup() ?? "").update("rekey kid v1");
  assert.equal(published.digest("base64url").slice(0, 16), kid);
  const fresh = await box.json("verify", await box.token());
  assert.deepEqual([fresh.valid, fresh.version], [true, version]);
}

/** The one version that is not retired, and whether the keyring has something left to be done. */
function database(box: KeyringBox): { current: number; unsynced: boolean } {
  const rows = query(box, "SELECT version, state, synced FROM rekey_versions");
  const live = rows.filter(({ state }) => state !== "retired");
  assert.deepEqual(live.map(({ state }) => state), ["current"]);
  return {
    current: Number(live[0]!.version),
    unsynced: rows.some(({ synced }) => synced === 0),
  };
}

// What rekey notes down for itself, `….rekey`, is no version.
async function accounts(box: KeyringBox): Promise<string[]> {
  return (await box.accounts()).filter((account) => !account.endsWith(".rekey"));
}

/** A well-formed token without a kid: only the value itself can tell that its signature is bad. */
function strangersToken(): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { sub: "x", exp: Math.floor(Date.now() / 1000) + 600 };
  const signature = randomBytes(64).toString("base64url");
  return [part({ alg: "HS512", typ: "JWT" }), part(claims), signature].join(".");
}

/**
 * A keyring that was silent is asked again after a minute: sets that moment to now. One that was killed or locked may have
 * seemed silent too: on a busy machine, or since gnome-keyring now and then never answers several that ask it to unlock.
 */
function waitAMinute(box: KeyringBox): void {
  sql(box, "UPDATE rekey_meta SET value = '0' WHERE key = 'keyring_retry_at'");
}
