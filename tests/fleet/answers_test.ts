import assert from "node:assert/strict";
import type { Box } from "../support/process/box.ts";
import { Etcd, Fleet, must } from "../support/cluster/etcd.ts";
import { between, unavailable } from "../support/cluster/etcd_between.ts";
import { Serving } from "../support/http/serving.ts";
import { sql } from "../support/store/sql.ts";
import { pause } from "../support/timing/pause.ts";

Deno.test("answers of etcd that are lost, late, refused or no answers", async (t) => {
  await using etcd = await Etcd.start(1);

  await t.step("a server that cannot get onto the list accepts nothing", async () => {
    using fleet = await Fleet.start(etcd, 2, "list");
    const [one, two] = fleet.machines as [Box, Box];
    // Registering is a write with a lease.
    const tap = between(etcd, (body, pass) => body.includes('"lease"') ? unavailable() : pass());
    two.env.REKEY_ETCD_ENDPOINTS = tap.url;
    await using server = await Serving.start(two, ["--workers", "1", "--max-staleness", "2s"]);
    const token = await one.token();
    for (let n = 0; n < 5; n++, await pause(400)) assert.equal(await server.auth(token), 503);
    const { unconfirmed } = await must(one, "rotate", "--force", "--wait", "1s");
    assert.deepEqual(unconfirmed, []);
    await tap.stop();
  });

  await t.step(
    "a rotation whose answer was lost and that others have overtaken is not made twice",
    async () => {
      using fleet = await Fleet.start(etcd, 2, "lost");
      const [one, two] = fleet.machines as [Box, Box];
      let lost = 0;
      const tap = between(etcd, async (body, pass) => {
        const answer = await pass();
        if (lost > 0 || !body.includes('"compare":[{')) return answer;
        lost++;
        await answer.body?.cancel();
        await must(one, "rotate", "--force");
        return await unavailable();
      });
      two.env.REKEY_ETCD_ENDPOINTS = tap.url;
      const { version } = await must(two, "rotate", "--force");
      assert.equal(lost, 1);
      assert.equal(version, 2);
      assert.equal((await must(one, "status")).version, 3);
      assert.equal((await must(two, "status")).version, 3);
      await tap.stop();
    },
  );

  await t.step("a refusal after a lost answer says that the outcome is unknown", async () => {
    using fleet = await Fleet.start(etcd, 1, "unsure");
    const [one] = fleet.machines as [Box];
    let sent = 0;
    const tap = between(etcd, async (body, pass) => {
      if (!body.includes('"compare":[{')) return await pass();
      if (sent++ > 0) {
        return Response.json({ error: "permission denied", code: 7 }, { status: 403 });
      }
      await (await pass()).body?.cancel();
      return await unavailable();
    });
    const env = { REKEY_ETCD_ENDPOINTS: tap.url };
    const refused = await one.run(["rotate", "--force", "--json"], { env });
    assert.equal(refused.code, 4);
    assert.match(refused.stderr, /whether the change was made is not known/);
    assert.equal((await must(one, "status")).version, 2);
    await tap.stop();
  });

  await t.step("a change that was made is not reported as refused, whatever says so", async () => {
    using fleet = await Fleet.start(etcd, 1, "made");
    const [one] = fleet.machines as [Box];
    const answers: [number, unknown][] = [
      [504, { message: "upstream is timing out" }],
      [502, { error: "bad gateway", code: 502 }],
      [408, { error: "context canceled", code: 1 }],
      [500, { error: "raft proposal dropped", code: 2 }],
      [500, { message: "stream terminated by RST_STREAM", code: 13 }],
    ];
    for (const [n, [status, answer]] of answers.entries()) {
      let lost = 0;
      const tap = between(etcd, async (body, pass) => {
        if (!body.includes('"compare":[{') || lost++ > 0) return await pass();
        await (await pass()).body?.cancel();
        return Response.json(answer, { status });
      });
      const env = { REKEY_ETCD_ENDPOINTS: tap.url };
      const { code, stdout, stderr } = await one.run(["rotate", "--force", "--json"], { env });
      assert.equal(code, 0, stderr);
      assert.equal(JSON.parse(stdout).version, n + 2);
      assert.ok(lost > 1, "it was sent again");
      await tap.stop();
    }
    assert.equal((await must(one, "status")).version, answers.length + 1);
  });

  await t.step("an answer that is not etcd's is reported as such", async () => {
    using fleet = await Fleet.start(etcd, 1, "odd");
    const [one] = fleet.machines as [Box];
    const header = { cluster_id: "1", revision: "1" };
    const odd: unknown[] = [{}, null, [], "x", 7, { header: 1 }, { header: {} }, { header }];
    odd.push({ result: { header } }, { header, succeeded: true, responses: [null, null, null] });
    odd.push({ header, responses: [{ response_range: { kvs: [{}] } }] });
    for (const answer of odd) {
      const tap = between(etcd, () => Promise.resolve(Response.json(answer)));
      const env = { REKEY_ETCD_ENDPOINTS: tap.url };
      for (const args of [["status"], ["rotate", "--force"], ["revoke"]]) {
        const { code, stderr } = await one.run([...args, "--json"], { env });
        const error = JSON.parse(stderr.trim().split("\n").at(-1)!).error.code;
        assert.equal(`${code} ${error}`, "4 etcd_unavailable", JSON.stringify(answer));
      }
      await tap.stop();
    }
  });

  await t.step("an invalid lease keeps a server off the list: it accepts nothing", async () => {
    using fleet = await Fleet.start(etcd, 1, "lease");
    const [one] = fleet.machines as [Box];
    const tap = between(etcd, async (body, pass) => {
      const answer = await pass();
      if (!body.includes('"TTL"')) return answer;
      const { header } = await answer.json();
      return Response.json({ header });
    });
    const env = { REKEY_ETCD_ENDPOINTS: tap.url };
    await using server = await Serving.start(one, ["--workers", "1"], { env });
    assert.equal(await server.auth(await one.token()), 503);
    await server.until(() => server.stderr.includes("cannot be followed: etcd_unavailable"));
    const members = await etcd.ctl("get", "--prefix", "/lease/agiworkforce/members/");
    assert.equal(members, "");
    await tap.stop();
  });

  await t.step("a number that this machine has used in vain is the fleet's to use", async () => {
    using fleet = await Fleet.start(etcd, 2, "number");
    const [one, two] = fleet.machines as [Box, Box];
    // As a rotation into the database leaves it when it is killed after its first step.
    sql(
      one,
      `INSERT INTO rekey_versions (version, kid, state, location, origin, created_at, synced)
      VALUES (2, 'AAAAAAAAAAAAAAAA', 'pending', 'database', 'generated', ${Date.now()}, 1)`,
    );
    assert.equal((await must(one, "status")).version, 1);
    const { kid } = await must(two, "rotate", "--force");
    assert.equal((await must(one, "status")).kid, kid);
  });

  await t.step(
    "what a fleet has revoked does not come back with another state of the same number",
    async () => {
      using fleet = await Fleet.start(etcd, 2, "fork");
      const [one, two] = fleet.machines as [Box, Box];
      const token = await one.token();
      await must(one, "rotate", "--force", "--grace", "1h");
      await must(two, "status");
      const path = (key: string) => `/fork/agiworkforce/${key}`;
      const read = async (key: string) =>
        (await etcd.ctl("get", "--print-value-only", path(key))).trimEnd();
      const { kid } = (await must(one, "status")).grace[0];
      const [state, value] = [await read("state"), await read(`values/${kid}`)];
      await must(one, "revoke");
      await etcd.ctl("put", path("state"), state);
      await etcd.ctl("put", path(`values/${kid}`), value);
      await must(two, "rotate", "--prepare");
      const refused = await one.run(["verify", token, "--json"]);
      assert.equal(refused.code, 4, refused.stdout);
      await must(two, "rotate", "--prepare");
      await must(two, "rotate", "--activate", "--grace", "1h");
      assert.equal((await one.run(["verify", token])).code, 3);
    },
  );

  await t.step("with as many windows as there can be, one rotation ends them all", async () => {
    using fleet = await Fleet.start(etcd, 1, "many");
    const [one] = fleet.machines as [Box];
    let [refused, open] = [0, 0];
    for (let n = 0; n < 52; n++) {
      const { code } = await one.run(["rotate", "--force", "--grace", "1h", "--no-backup"]);
      if (code === 0) open++;
      else refused++;
    }
    assert.deepEqual({ open, refused }, { open: 48, refused: 4 });
    await must(one, "rotate", "--prepare");
    await must(one, "rotate", "--force");
    assert.deepEqual((await must(one, "status")).grace, []);
  });
});
