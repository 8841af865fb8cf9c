import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { EtcdClient } from "../../src/etcd/client.ts";
import { put } from "../../src/etcd/wire.ts";
import type { Box } from "../support/process/box.ts";
import { Etcd, Fleet, must } from "../support/cluster/etcd.ts";
import { between, unavailable } from "../support/cluster/etcd_between.ts";
import { until } from "../support/timing/pause.ts";
import { Serving } from "../support/http/serving.ts";
import { queryRow } from "../support/store/sql.ts";
import { haveUsers } from "../support/store/users.ts";

Deno.test("an etcd that was restored and has gone on since hides no ended session", async () => {
  await using etcd = await Etcd.start(1);
  using fleet = await Fleet.start(etcd, 2, "restored");
  const [one, two] = fleet.machines as [Box, Box];
  const verified = async (token: string) => (await two.run(["verify", token])).code;
  const sessions = [];
  for (let n = 0; n < 4; n++) sessions.push(await must(one, "issue", "--sub", "alice"));
  const [before, lost, hidden, later] = sessions;
  await must(one, "session", "revoke", before.jti);
  assert.equal(await verified(before.token), 3);
  const snapshot = join(etcd.folder, "snapshot");
  await etcd.ctl("snapshot", "save", snapshot);
  for (let n = 0; n < 3; n++) await etcd.ctl("put", "filler", "x");
  await must(one, "session", "revoke", lost.jti);
  assert.equal(await verified(lost.token), 3);
  await etcd.restore(snapshot);
  // At a revision that the machine has seen already, in the history that is gone.
  await must(one, "session", "revoke", hidden.jti);
  for (let n = 0; n < 5; n++) await etcd.ctl("put", "filler", "x");
  assert.equal(await verified(hidden.token), 3);
  await must(one, "session", "revoke", later.jti);
  for (const { token } of sessions) assert.equal(await verified(token), 3);
});

Deno.test("a session that has ended is told of again when that is asked for", async () => {
  await using etcd = await Etcd.start(1);
  using fleet = await Fleet.start(etcd, 2, "again");
  const [one, two] = fleet.machines as [Box, Box];
  const { token, jti } = await must(one, "issue", "--sub", "alice");
  await must(one, "session", "revoke", jti);
  await etcd.ctl("del", "--prefix", "/again/agiworkforce/state/revoked/");
  assert.equal((await two.run(["verify", token])).code, 0, "it has not heard");
  await must(one, "session", "revoke", jti);
  assert.equal((await two.run(["verify", token])).code, 3);
  assert.equal((await one.run(["session", "revoke", "unknown"])).code, 1);
});

Deno.test("a machine that is new takes over any number of ended sessions, and goes on where it was kept from it", async () => {
  await using etcd = await Etcd.start(1);
  using fleet = await Fleet.start(etcd, 2, "many");
  const [one, two] = fleet.machines as [Box, Box];
  // Pages end within revisions, of which each has 100.
  const ended = await endMany(etcd, "many", 4_530);
  const { token, jti } = await must(one, "issue", "--sub", "alice");
  await must(one, "session", "revoke", jti);
  let pages = 0;
  const tap = between(etcd, (body, pass) => {
    const reads = body.includes('"min_mod_revision"');
    // One page, and then no answer any more.
    return reads && pages++ > 0 ? unavailable() : pass();
  });
  const env = { REKEY_ETCD_ENDPOINTS: tap.url };
  assert.equal((await two.run(["verify", token], { env })).code, 4);
  await tap.stop();
  assert.ok(endedOn(two) > 1_800 && endedOn(two) < ended, `${endedOn(two)}`);
  assert.equal((await two.run(["verify", token])).code, 3);
  assert.equal(endedOn(two), ended + 1);
});

interface Outcome {
  readonly code: number;
  readonly stderr: string;
  readonly one: Box;
  /** Waits until a server elsewhere refuses every token. */
  refused(): Promise<void>;
}

Deno.test("a session that is opened while its user's are ended ends everywhere all the same", async (t) => {
  await using etcd = await Etcd.start(1);

  /** Runs a command, and opens a session while it tells the others; what it tells them then may be answered otherwise. */
  const during = async (
    args: string[],
    check: (outcome: Outcome) => Promise<void>,
    then?: () => Promise<Response>,
  ) => {
    using fleet = await Fleet.start(etcd, 2, crypto.randomUUID());
    const [one, two] = fleet.machines as [Box, Box];
    await haveUsers(one, ["alice"]);
    await using second = await Serving.start(two, ["--workers", "1"]);
    // As a login does, but for half a second of hashing.
    const opened = () => one.token("alice");
    const tokens = [await opened()];
    const tap = between(etcd, async (body, pass) => {
      if (!body.includes("request_put")) return await pass();
      if (tokens.length > 1) return await (then ?? pass)();
      tokens.push(await opened());
      return await pass();
    });
    const env = { REKEY_ETCD_ENDPOINTS: tap.url };
    const { code, stderr } = await one.run(args, { env, stdin: "another long password" });
    await tap.stop();
    assert.equal(tokens.length, 2);
    const refused = () =>
      until(async () => {
        const found = await Promise.all(tokens.map((token) => second.auth(token)));
        return found.every((status) => status === 401);
      }, { otherwise: "it goes on elsewhere" });
    await check({ code, stderr, one, refused });
  };

  const commands = [
    ["user", "remove", "alice", "--force"],
    ["user", "passwd", "alice"],
    ["session", "revoke", "--user", "alice"],
  ];
  for (const args of commands) {
    await t.step(args.join(" "), () =>
      during(args, async ({ code, stderr, refused }) => {
        assert.equal(code, 0, stderr);
        await refused();
      }));
  }

  await t.step(
    "when etcd cannot be told, that is said, and can be made up for",
    () =>
      during(commands[0]!, async ({ code, stderr, one, refused }) => {
        assert.equal(code, 4);
        assert.match(
          stderr,
          /made here, but a session opened just now may continue on other machines/,
        );
        assert.equal((await one.run(["session", "revoke", "--user", "alice"])).code, 0);
        await refused();
      }, unavailable),
  );
});

const endedOn = (box: Box): number => {
  const { n } = queryRow(
    box,
    "SELECT count(*) AS n FROM rekey_sessions WHERE revoked_at IS NOT NULL",
  ) as { n: number };
  return n;
};

/** Ends so many sessions of version 1, as a machine does that has issued them. */
async function endMany(etcd: Etcd, prefix: string, count: number): Promise<number> {
  const client = new EtcdClient({ endpoints: [etcd.endpoints], prefix: `/${prefix}/` });
  const now = Date.now();
  for (let n = 0; n < count; n += 100) {
    const jtis = Array.from({ length: Math.min(100, count - n) }, () => crypto.randomUUID());
    await client.txn(
      [],
      jtis.map((jti) => {
        const name = createHash("sha256").update(jti).digest("base64url");
        const session = { jti, version: 1, sub: "bob", issued_at: now, expires_at: now + 1e6 };
        const text = JSON.stringify({ ...session, revoked_at: now });
        return put(`/${prefix}/agiworkforce/state/revoked/${name}`, text);
      }),
    );
  }
  return count;
}
