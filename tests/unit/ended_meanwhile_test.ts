import assert from "node:assert/strict";
import { join } from "node:path";
import { exportedParts } from "../../src/audit/log_parts.ts";
import { EVENTS } from "../../src/audit/events.ts";
import { backUp } from "../../src/backup/backup.ts";
import { restore } from "../../src/backup/restore.ts";
import { KeysFile } from "../../src/cli/exec/keys_file.ts";
import { isRekeyError } from "../../src/core/errors.ts";
import { addDelivery } from "../../src/deliver/add.ts";
import { KeySource } from "../../src/deliver/key_source.ts";
import { progressOf, sync } from "../../src/deliver/sync.ts";
import { digestOfBytes } from "../../src/deliver/write_target.ts";
import type { HostOperations } from "../../src/http/host_operations.ts";
import type { Member } from "../../src/secret/backend.ts";
import { SecretManager } from "../../src/secret/manager.ts";
import { orderOf, pruneLog } from "../../src/secret/pruned_log.ts";
import { FleetView } from "../../src/serve/fleet_view.ts";
import { RequestThread } from "../../src/serve/request_thread.ts";
import { connect, type Port } from "../../src/serve/rpc.ts";
import { Database } from "../../src/store/sqlite/database.ts";
import { Deliveries } from "../../src/store/sqlite/deliveries.ts";
import { takeEnded } from "../../src/store/sqlite/ended_sessions.ts";
import { rememberFleet } from "../../src/store/sqlite/meta.ts";
import { Sessions } from "../../src/users/sessions.ts";
import { betweenReadsOf, commitRotation, openSession } from "../support/faults/between_reads.ts";
import { temporary } from "../support/process/box.ts";
import { testEnvironment } from "../support/store/environment.ts";

const DAY_MS = 86_400_000;

/** A secret in the database, and a folder. */
async function opened() {
  const environment = testEnvironment();
  const folder = temporary();
  const secrets = new SecretManager(environment);
  await secrets.getOrCreate({ store: "database" });
  const { installation } = await secrets.open();
  return {
    ...{ environment, folder, secrets, installation },
    [Symbol.dispose]() {
      secrets.close();
      environment[Symbol.dispose]();
      Deno.removeSync(folder, { recursive: true });
    },
  };
}

/** The same with a delivery of its keys to a file. */
async function delivered() {
  const all = await opened();
  const path = join(all.folder, "keys.json");
  const given = { name: "api", preset: "jwks", path, parameters: {}, force: false };
  await addDelivery(all.installation, given);
  await sync(all.secrets);
  return { ...all, path };
}

Deno.test("a KEK that is replaced while its key file is looked for is not missing", async () => {
  using all = await opened();
  const { environment, secrets, installation } = all;
  Deno.chmodSync(installation.generatedKeyFile()!, 0o644);
  let times = 0;
  const slow = new SecretManager({
    ...environment,
    async onExposedKey() {
      if (times++ > 0) return;
      await secrets.underLock((at, backend) => backend.rotateKek(at, undefined));
    },
  });
  try {
    const { version, secret } = await slow.get();
    assert.equal(secret.kid, version.kid);
    assert.equal(times, 1);
    assert.equal(await slow.flushNotes(), true);
  } finally {
    slow.close();
  }
});

Deno.test("a server is ready although a rotation destroys the value that it fetches", async () => {
  using all = await opened();
  const { environment, secrets } = all;
  const { port1, port2 } = new MessageChannel();
  let times = 0;
  const host: Partial<HostOperations> = {
    async value(version) {
      if (times++ === 0) await secrets.rotate();
      return (await secrets.valueOf(version)).secret.reveal();
    },
    report: () => {},
  };
  const thread = connect<RequestThread>(port1 as Port, host);
  new RequestThread(environment, port2 as Port);
  try {
    assert.equal(await thread.trouble(), null);
    assert.equal(times, 2);
  } finally {
    await thread.stop();
    port1.close();
    port2.close();
  }
});

Deno.test("a delivery does without a key whose grace window ends while it is read", async () => {
  using all = await opened();
  const { environment, secrets, installation } = all;
  await secrets.rotate({ graceMs: 1_000 });
  const [previous] = installation.versions.previous();
  const current = installation.versions.current()!;
  const keys = () =>
    new KeySource(secrets).keysOf({ current, prepared: undefined, previous: [previous!] });
  assert.deepEqual((await keys()).previous.map(({ kid }) => kid), [previous!.kid]);
  environment.advance(1_000);
  await secrets.underLock(() => Promise.resolve());
  assert.equal(installation.versions.byKid(previous!.kid)!.state, "retired");
  assert.deepEqual((await keys()).previous, []);
});

Deno.test("a delivery does not fail because an incident ends the key that it reads", async () => {
  let isReached = true;
  for (let at = 1; isReached; at += 2) {
    using all = await delivered();
    const { secrets, installation } = all;
    await secrets.underLock((now, backend, _turn, note) =>
      backend.prepare(now, { reason: null, usage: {} }, note)
    );
    const end = () => commitRotation(installation, null);
    const { reached } = await betweenReadsOf(at, end, () => sync(secrets, { names: ["api"] }));
    isReached = reached;
    const [api] = new Deliveries(installation.database).all();
    assert.equal(api!.state.failure, null, `${at}`);
  }
});

Deno.test("a file that is delivered while it is looked at is not said to be another one", async () => {
  let isReached = true;
  for (let at = 1; isReached; at++) {
    using all = await delivered();
    const { installation, path } = all;
    const bytes = new TextEncoder().encode('{"keys":[]}\n');
    const deliver = () => {
      const other = Database.open(installation.database.path);
      const rows = new Deliveries(other);
      const { state } = rows.all()[0]!;
      other.transaction(() =>
        rows.setState("api", { ...state, files: { "": digestOfBytes(bytes) } })
      );
      other.close();
      Deno.writeFileSync(path, bytes);
    };
    const look = async () => (await progressOf(installation)).map(({ isUpToDate }) => isUpToDate);
    const { result, reached } = await betweenReadsOf(at, deliver, look);
    isReached = reached;
    assert.deepEqual(result, [true], `${at}`);
  }
});

Deno.test("a file of keys takes the next key at once when one ended while it was read", async () => {
  using all = await opened();
  const { folder, secrets, installation } = all;
  const rows = [installation.versions.current()!];
  for (let n = 0; n < 2; n++) rows.push((await secrets.rotate()).version);
  const read = async (version: typeof rows[0]) =>
    version.state === "retired" || version.version === 2
      ? undefined
      : (await secrets.valueOf(version)).secret;
  const file = new KeysFile(folder, read, assert.fail);
  await file.update({ current: rows[1]!, previous: [], pending: undefined });
  assert.deepEqual(file.kids, []);
  await file.update({ current: rows[2]!, previous: [], pending: undefined });
  assert.deepEqual(file.kids, [rows[2]!.kid]);
});

Deno.test("an export of a log that is pruned meanwhile ends in an error, and not in what looks forged", async () => {
  using all = await opened();
  const { environment, installation } = all;
  const { database } = installation;
  const audit = await installation.audit();
  database.transaction(() => {
    for (let n = 0; n < 1_500; n++) audit.append({ event: EVENTS.retrievedFromDatabase });
  });
  environment.advance(2 * DAY_MS);
  database.transaction(() => audit.append({ event: EVENTS.moved }));
  const prune = () =>
    pruneLog(installation, orderOf({ all: 86_400 }, installation.now()), { most: 500 });
  const parts = exportedParts(database);
  for (let n = 0; n < 1_000; n++) assert.equal(parts.next().done, false);
  assert.ok(await prune() > 0);
  assert.throws(() => [...parts], (error) => isRekeyError(error, "busy"));
  assert.ok([...exportedParts(database)].length > 0);
});

Deno.test("a session that ends while a backup is restored stays ended", async () => {
  const numbers = { reached: 0, ended: 0 };
  for (let at = 1, isReached = true; isReached; at += 13) {
    using all = await opened();
    const { environment, folder, secrets, installation: { database } } = all;
    database.transaction(() => openSession(database, "a", Date.now()));
    const session = new Sessions(database).find("a")!;
    const path = join(folder, "backup.db");
    await backUp(secrets, path, undefined);
    let isEnded = false;
    const end = () => {
      const other = Database.open(database.path, { waitMs: 0 });
      try {
        other.transaction(() => takeEnded(other, { ...session, revoked_at: Date.now() }));
        isEnded = true;
      } catch (error) {
        // The restoration holds the database.
        assert.ok(isRekeyError(error, "busy"));
      } finally {
        other.close();
      }
    };
    const how = { force: true, newSecret: false, openers: () => Promise.resolve(undefined) };
    const { reached } = await betweenReadsOf(at, end, () => restore(environment, path, how));
    isReached = reached;
    if (reached) numbers.reached++;
    if (!isEnded) continue;
    numbers.ended++;
    assert.notEqual(new Sessions(database).find("a")!.revoked_at, null, `${at}`);
  }
  assert.ok(numbers.ended > 3 && numbers.reached > 3, JSON.stringify(numbers));
});

Deno.test("servers are measured by what was to be followed when they were listed", async () => {
  using all = await opened();
  const { installation } = all;
  const { database, meta } = installation;
  const follow = (change: number) =>
    database.transaction(() => rememberFleet(meta, { state: { id: "fleet", change }, digest: "" }));
  const one = { id: "one", actor: "a@b", rekey: "1", version: 1, prepared: null, since: 0 };
  const members = (change: number): Member[] => [{ ...one, change, max_staleness: 0 }];
  const view = new FleetView(() => Promise.resolve({ change: 5, servers: members(5) }));
  follow(5);
  view.last(installation);
  await Promise.resolve();
  follow(6);
  await new Promise((resolve) => setTimeout(resolve, 0));
  const { change, members: [seen] } = view.last(installation)!;
  assert.deepEqual([change, seen!.change, seen!.followed], [5, 5, true]);
});
