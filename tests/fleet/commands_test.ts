import assert from "node:assert/strict";
import { Etcd, Fleet, must } from "../support/cluster/etcd.ts";
import { type Box, REKEY } from "../support/process/box.ts";
import { sql } from "../support/store/sql.ts";

const verdict = async (box: Box, token: string) => (await box.run(["verify", token])).code;

Deno.test("machines that share a secret in etcd", async (t) => {
  await using etcd = await Etcd.start(1);

  await t.step("the first one makes it, the others find it; tokens count everywhere", async () => {
    using fleet = new Fleet(etcd, 3, "share");
    const [one, two, three] = fleet.machines as [Box, Box, Box];
    const made = await must(one, "init");
    assert.equal(made.location, "etcd");
    for (const other of [two, three]) assert.deepEqual(await must(other, "init"), made);
    const token = await one.token();
    for (const box of fleet.machines) assert.equal(await verdict(box, token), 0);
  });

  await t.step("machines that begin at the same time share one secret", async () => {
    using fleet = new Fleet(etcd, 6, "race");
    const made = await Promise.all(fleet.machines.map((box) => must(box, "init")));
    assert.equal(new Set(made.map(({ kid }) => kid)).size, 1);
    assert.ok(made.every(({ version }) => version === 1));
  });

  await t.step(
    "a rotation anywhere ends the old tokens everywhere; each log says who did it",
    async () => {
      using fleet = await Fleet.start(etcd, 2, "rotate");
      const [one, two] = fleet.machines as [Box, Box];
      const token = await one.token();
      const named = 'hostname far-away && exec "$0" rotate --force --reason drill --json';
      const rotated = await two.exec("/usr/bin/unshare", ["--uts", "sh", "-c", named, REKEY]);
      assert.equal(rotated.code, 0, rotated.stderr);
      assert.equal(JSON.parse(rotated.stdout).version, 2);
      assert.equal(await verdict(one, token), 3);
      const { stdout } = await one.run(["audit", "list", "--json"]);
      const row = stdout.trim().split("\n").map((line) => JSON.parse(line))
        .find(({ event }) => event === "JWT secret rotation completed");
      assert.match(row.actor, /@far-away$/);
      assert.equal(row.reason, "drill");
      assert.equal((await one.run(["audit", "verify"])).code, 0);
    },
  );

  await t.step("a grace window counts everywhere, and its end does", async () => {
    using fleet = await Fleet.start(etcd, 2, "grace");
    const [one, two] = fleet.machines as [Box, Box];
    const token = await one.token();
    await must(two, "rotate", "--force", "--grace", "1h");
    assert.equal(await verdict(one, token), 0);
    assert.deepEqual((await must(one, "revoke")).revoked_versions, [1]);
    assert.equal(await verdict(two, token), 3);
    assert.doesNotMatch(
      await etcd.ctl("get", "--prefix", "/grace/", "--keys-only"),
      /values.*values/s,
    );
  });

  await t.step("a session that is ended on one machine is ended on all", async () => {
    using fleet = await Fleet.start(etcd, 2, "sessions");
    const [one, two] = fleet.machines as [Box, Box];
    const { token, jti } = await must(one, "issue", "--sub", "alice");
    const other = await one.token("bob");
    assert.equal(await verdict(two, token), 0);
    await must(one, "session", "revoke", jti);
    assert.equal(await verdict(two, token), 3);
    assert.equal(await verdict(two, other), 0);
    await must(one, "session", "revoke", "--user", "bob");
    assert.equal(await verdict(two, other), 3);
  });

  await t.step(
    "the same request id makes one rotation, on whichever machine it is repeated",
    async () => {
      using fleet = await Fleet.start(etcd, 2, "request");
      const [one, two] = fleet.machines as [Box, Box];
      const first = await must(one, "rotate", "--force", "--request-id", "r1");
      const again = await must(two, "rotate", "--force", "--request-id", "r1");
      assert.equal(again.kid, first.kid);
      assert.equal(again.rotated, false);
    },
  );

  await t.step("into etcd and back, tokens stay valid", async () => {
    using fleet = new Fleet(etcd, 1, "move");
    const [box] = fleet.machines as [Box];
    await must(box, "init", "--store", "database");
    await must(box, "rotate", "--force", "--store", "database");
    const token = await box.token();
    await must(box, "rotate", "--force", "--grace", "1h", "--store", "database");
    const moved = await must(box, "store", "move", "etcd");
    assert.deepEqual(moved.moved.map(({ version }: { version: number }) => version), [3, 2]);
    assert.equal(await verdict(box, token), 0);
    await must(box, "store", "move", "database");
    assert.equal(await verdict(box, token), 0);
    assert.equal((await must(box, "status")).location, "database");
    assert.equal((await must(box, "doctor", "--json")).findings?.length ?? 0, 0);
  });

  await t.step(
    "a machine with another secret of its own does not take the fleet's in passing",
    async () => {
      using fleet = await Fleet.start(etcd, 1, "claimed");
      using stranger = new Fleet(etcd, 1, "claimed");
      const [box] = stranger.machines as [Box];
      await must(box, "init", "--store", "database");
      const { code, stderr } = await box.run(["store", "move", "etcd"]);
      assert.equal(code, 4);
      // It has another KEK as well: what it cannot open it cannot judge.
      assert.match(stderr, /kek_wrong|KEK .* sealed it/);
      box.env.REKEY_KEK_FILE = fleet.machines[0]!.env.REKEY_KEK_FILE!;
      await must(box, "destroy", "--force");
      await must(box, "init", "--store", "database");
      const claimed = await box.run(["store", "move", "etcd", "--json"]);
      assert.equal(claimed.code, 4);
      assert.equal(JSON.parse(claimed.stderr).error.code, "secret_claimed");
    },
  );

  await t.step(
    "an etcd that was put back is noticed, and a rotation goes on from there",
    async () => {
      using fleet = await Fleet.start(etcd, 2, "back");
      const [one, two] = fleet.machines as [Box, Box];
      const value = await etcd.ctl("get", "--print-value-only", "/back/agiworkforce/state");
      const old = (await must(one, "status")).kid;
      await must(one, "rotate", "--force");
      const token = await one.token();
      await etcd.ctl("put", "/back/agiworkforce/state", value.trimEnd());
      for (const args of [["verify", token], ["issue", "--sub", "a"], ["status"]]) {
        const refused = await one.run([...args, "--json"]);
        assert.equal(refused.code, 4, refused.stdout);
        assert.equal(JSON.parse(refused.stderr).error.code, "fleet_behind");
      }
      // The other one has never seen version 2: it cannot know.
      assert.equal((await must(two, "status")).version, 1);
      const { version, kid } = await must(one, "rotate", "--force");
      assert.equal(version, 3);
      assert.notEqual(kid, old);
      assert.equal((await must(two, "status")).kid, kid);
      await etcd.ctl("del", "--prefix", "/back/");
      assert.equal((await one.run(["status"])).code, 4);
      await must(one, "store", "move", "etcd");
      assert.equal((await must(two, "status")).kid, kid);
    },
  );

  await t.step("a writer to etcd can change nothing unnoticed", async () => {
    using fleet = await Fleet.start(etcd, 1, "forged");
    const [box] = fleet.machines as [Box];
    const state = (await etcd.ctl("get", "--print-value-only", "/forged/agiworkforce/state"))
      .trimEnd();
    // One character of the state itself, and one of its authentication tag.
    const changed = (part: number) =>
      state.split(".").map((text, n) =>
        n === part ? (text.startsWith("A") ? "B" : "A") + text.slice(1) : text
      ).join(".");
    for (const text of [changed(3), changed(4), "", "{}", "a.b.c.d.e"]) {
      await etcd.ctl("put", "/forged/agiworkforce/state", text);
      const refused = await box.run(["status", "--json"]);
      assert.equal(refused.code, 4, text);
      assert.equal(JSON.parse(refused.stderr).error.code, "secret_damaged", text);
    }
    await etcd.ctl("put", "/forged/agiworkforce/state", state);
    assert.equal((await box.run(["status"])).code, 0);
  });

  await t.step(
    "without an etcd, or with one that is away, nothing is made and nothing accepted",
    async () => {
      using fleet = await Fleet.start(etcd, 1, "away");
      const [box] = fleet.machines as [Box];
      const token = await box.token();
      const code = async (env: Record<string, string>, ...args: string[]) =>
        JSON.parse((await box.run([...args, "--json"], { env })).stderr).error.code;
      const away = { REKEY_ETCD_ENDPOINTS: "http://127.0.0.1:1" };
      assert.equal(await code(away, "verify", token), "etcd_unavailable");
      assert.equal(await code(away, "rotate", "--force"), "etcd_unavailable");
      for (const shown of [["status"], ["policy", "show"], ["session", "list"]]) {
        const { code, stdout } = await box.run(shown, { env: away });
        assert.deepEqual([code, stdout.includes("\n")], [4, true], `${shown} prints what it knows`);
      }
      sql(box, "DELETE FROM rekey_meta WHERE key = 'etcd_source'");
      assert.equal(await code({ REKEY_ETCD_ENDPOINTS: "" }, "verify", token), "etcd_unconfigured");
      assert.equal(await code({ REKEY_ETCD_ENDPOINTS: "http://10.0.0.1:2379" }, "status"), "usage");
      assert.equal(await code({ REKEY_ETCD_PREFIX: "/elsewhere/" }, "status"), "fleet_behind");
      // An emergency: this machine leaves the fleet, with a new secret of its own.
      const left = await box.run(["rotate", "--force", "--store", "database", "--json"], {
        env: away,
      });
      assert.equal(left.code, 0, left.stderr);
      assert.equal((await box.run(["verify", token], { env: away })).code, 3);
    },
  );
});
