import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { Etcd, Fleet, must } from "../support/cluster/etcd.ts";
import type { Box } from "../support/process/box.ts";
import { ACCOUNT, KeyringBox, SERVICE } from "../support/keyring/keyring_box.ts";
import { listener } from "../support/commands/exec_programs.ts";
import { Running } from "../support/process/running.ts";

const verdict = async (box: Box, token: string) => (await box.run(["verify", token])).code;

Deno.test("machines that share a secret: KEK, exec, export, import and keyring", async (t) => {
  await using etcd = await Etcd.start(1);

  await t.step(
    "a KEK that other machines cannot have is refused before anything is made",
    async () => {
      using fleet = new Fleet(etcd, 1, "kek");
      const [box] = fleet.machines as [Box];
      delete box.env.REKEY_KEK_FILE;
      const refused = await box.run(["init", "--json"]);
      assert.equal(refused.code, 4);
      assert.equal(JSON.parse(refused.stderr).error.code, "kek_missing");
      assert.equal((await box.run(["status", "--json"])).code, 4);
      assert.deepEqual([...box.files().keys()].filter((path) => path.endsWith(".db")), []);
    },
  );

  await t.step("a machine that has a secret is led to share it", async () => {
    using fleet = new Fleet(etcd, 1, "led");
    const [box] = fleet.machines as [Box];
    const kek = box.env.REKEY_KEK_FILE!;
    delete box.env.REKEY_KEK_FILE;
    await must(box, "init", "--store", "database");
    const token = await box.token();
    const asked = await box.run(["init"]);
    assert.equal(asked.code, 0);
    assert.match(asked.stderr, /stays in the database: `rekey store move etcd` moves it/);
    const refused = await box.run(["store", "move", "etcd"]);
    assert.equal(refused.code, 4);
    assert.match(refused.stderr, /`rekey kek rotate --to-kek-file FILE` here/);
    await must(box, "kek", "rotate", "--to-kek-file", kek);
    await must(box, "store", "move", "etcd");
    assert.equal(await verdict(box, token), 0);
    assert.doesNotMatch((await box.run(["init"])).stderr, /stays/);
  });

  await t.step("the KEK is exchanged on one machine after the other", async () => {
    using fleet = await Fleet.start(etcd, 2, "rekek");
    const [one, two] = fleet.machines as [Box, Box];
    const token = await one.token();
    const fresh = crypto.getRandomValues(new Uint8Array(32));
    const paths = fleet.machines.map((box) => `${box.home}/kek2`);
    paths.forEach((path) => Deno.writeFileSync(path, fresh, { mode: 0o600 }));
    assert.equal((await one.run(["kek", "rotate"])).code, 2);
    await must(one, "kek", "rotate", "--to-kek-file", paths[0]!);
    one.env.REKEY_KEK_FILE = paths[0]!;
    assert.equal(await verdict(one, token), 0);
    // Its database opens, and what is shared does not: it accepts nothing.
    const refused = await two.run(["verify", token, "--json"]);
    assert.equal(JSON.parse(refused.stderr).error.code, "kek_wrong");
    await must(two, "kek", "rotate", "--to-kek-file", paths[1]!);
    two.env.REKEY_KEK_FILE = paths[1]!;
    assert.equal(await verdict(two, token), 0);
    await must(two, "rotate", "--force");
    assert.equal(await verdict(one, token), 3);
  });

  await t.step("a program under exec is told of a rotation on another machine", async () => {
    using fleet = await Fleet.start(etcd, 2, "exec");
    const [one, two] = fleet.machines as [Box, Box];
    const options = { flags: ["--on-rotate", "signal:HUP"] };
    await using running = await Running.start(one, listener(), options);
    await must(two, "rotate", "--force");
    await running.until(() => running.stdout.includes("SIGHUP"));
  });

  await t.step("exports of all machines are merged in the order of the versions", async () => {
    using fleet = await Fleet.start(etcd, 2, "merge");
    const [one, two] = fleet.machines as [Box, Box];
    for (const box of [two, one, two]) await must(box, "rotate", "--force");
    await must(one, "status");
    const paths: string[] = [];
    for (const [n, box] of fleet.machines.entries()) {
      const { stdout } = await box.run(["audit", "export"]);
      // The other machine's clock is an hour behind.
      const lines = n === 0 ? stdout : stdout.replace(/"time":"([^"]*)"/g, (_, time) => {
        const earlier = new Date(Date.parse(time) - 3_600_000).toISOString();
        return `"time":"${earlier}"`;
      });
      paths.push(`${one.home}/m${n}.jsonl`);
      Deno.writeTextFileSync(paths.at(-1)!, lines);
    }
    const { code, stdout, stderr } = await one.run(["audit", "merge", ...paths]);
    assert.equal(code, 0, stderr);
    const rows = stdout.trim().split("\n").map((line) => JSON.parse(line));
    const completed = rows.filter(({ event }) => event === "JWT secret rotation completed");
    assert.deepEqual(completed.map(({ version }) => version), [2, 2, 3, 3, 4, 4]);
    for (const machine of ["m0", "m1"]) {
      const own = rows.filter((row) => row.machine === machine).map(({ seq }) => seq);
      assert.deepEqual(own, own.toSorted((a, b) => a - b));
    }
    const text = `${one.home}/text`;
    Deno.writeTextFileSync(text, "no JSON");
    for (const wrong of [text, `${one.home}/nowhere`, one.home]) {
      assert.equal((await one.run(["audit", "merge", wrong])).code, 2);
    }
    assert.equal((await one.run(["audit", "merge", paths[0]!, paths[0]!])).code, 2);
  });

  await t.step("an imported secret is shared; its tokens stay valid", async () => {
    using fleet = new Fleet(etcd, 2, "import");
    const [one, two] = fleet.machines as [Box, Box];
    const value = "a-secret-of-an-application-that-was-hard-coded-0123456789-0123456789";
    const imported = await one.run(["import", "--json"], { stdin: value });
    assert.equal(imported.code, 0, imported.stderr);
    assert.equal(JSON.parse(imported.stdout).location, "etcd");
    const [header, payload] = [{ alg: "HS512" }, {
      sub: "a",
      exp: Math.floor(Date.now() / 1000) + 60,
    }]
      .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"));
    const signature = createHmac("sha512", value).update(`${header}.${payload}`).digest(
      "base64url",
    );
    const token = `${header}.${payload}.${signature}`;
    assert.equal(await verdict(one, token), 0);
    assert.equal((await two.run(["import", "--json"], { stdin: value })).code, 0);
    assert.equal(await verdict(two, token), 0);
    const other = await two.run(["import", "--json"], { stdin: `${value}-and-another` });
    assert.equal(JSON.parse(other.stderr).error.code, "already_initialised");
    await must(two, "rotate", "--force");
    assert.equal(await verdict(one, token), 3);
  });

  await t.step(
    "from the keyring into etcd and back: no item stays behind, and none is missing",
    async () => {
      await using box = await KeyringBox.start();
      using fleet = new Fleet(etcd, 1, "ring");
      Object.assign(box.env, fleet.machines[0]!.env, { REKEY_STORE: "" });
      assert.equal((await must(box, "init")).location, "keyring");
      const token = await box.token();
      const found = () =>
        box.exec("secret-tool", ["lookup", "service", SERVICE, "username", ACCOUNT]);
      assert.equal((await found()).stdout.length, 88);
      await must(box, "store", "move", "etcd");
      assert.equal((await found()).stdout, "");
      assert.equal(await verdict(box, token), 0);
      await must(box, "store", "move", "keyring");
      assert.equal((await found()).stdout.length, 88);
      assert.equal(await verdict(box, token), 0);
    },
  );
});
