import assert from "node:assert/strict";
import { unless } from "../support/faults/faults.ts";
import { join } from "node:path";
import { Box } from "../support/process/box.ts";
import { examined } from "../support/commands/doctor.ts";
import { answered, must } from "../support/cluster/etcd.ts";
import { EtcdApart } from "../support/cluster/etcd_apart.ts";
import { pause, until } from "../support/timing/pause.ts";
import { Serving } from "../support/http/serving.ts";

const STALENESS_MS = 2_000;
const FLAGS = ["--workers", "1", "--max-staleness", `${STALENESS_MS / 1000}s`];

Deno.test({
  name: "a machine whose network fails, with TLS, a client certificate and a user",
  ignore: unless(Deno.uid() === 0, "root"),
  async fn(t) {
    await using etcd = await EtcdApart.start(1);
    const kek = crypto.getRandomValues(new Uint8Array(32));
    const machine = (link: 0 | 1) => {
      const box = new Box(etcd.environment(link));
      box.env.REKEY_KEK_FILE = join(box.home, "kek");
      Deno.writeFileSync(box.env.REKEY_KEK_FILE, kek, { mode: 0o600 });
      return box;
    };
    using near = machine(0);
    using far = machine(1);
    await must(near, "init");
    await must(far, "init");

    await t.step(
      "cut off, it accepts nothing after the time that was named, and never the old token",
      async () => {
        await using first = await Serving.start(near, FLAGS);
        await using second = await Serving.start(far, FLAGS);
        const old = await near.token();
        for (const server of [first, second]) {
          await until(async () => await server.auth(old) === 204);
        }
        await etcd.network.link(1, "down");
        const since = performance.now();
        // It cannot be told, so it is waited for until what it accepted is over.
        const rotating = must(near, "rotate", "--force", "--wait", "30s");
        // It is looked at below.
        rotating.catch(() => {});
        let last = 0;
        while (performance.now() - since < STALENESS_MS + 1_500) {
          const began = performance.now();
          if (await second.auth(old) === 204) last = began - since;
          await pause(10);
        }
        assert.ok(last < STALENESS_MS + 200, `accepted ${last} ms after it was cut off`);
        assert.equal(await second.auth(old), 503);
        assert.deepEqual((await rotating).unconfirmed, []);
        // 503 where the machine has stood still for longer than that.
        assert.notEqual(await first.auth(old), 204);
        await until(async () => await first.auth(old) === 401);
        const refused = await far.run(["verify", old]);
        assert.equal(refused.code, 4);
        await etcd.network.link(1, "up");
        const token = await near.token();
        await until(async () => await second.auth(token) === 204);
        assert.notEqual(await second.auth(old), 204);
        await until(async () => await second.auth(old) === 401);
        assert.equal((await far.run(["verify", old])).code, 3);
      },
    );

    await t.step(
      "a rotation whose answer is lost was made or was not; repeated, it is one",
      async () => {
        const version = async () => {
          const status = await answered(near, "status", "--json");
          assert.equal(status.code, 0, status.stderr);
          return JSON.parse(status.stdout).version;
        };
        for (let n = 0; n < 5; n++) {
          const before = await version();
          const request = ["rotate", "--force", "--request-id", `lost-${n}`];
          const rotating = far.run(request);
          await pause(60 + 25 * n);
          await etcd.network.link(1, "down");
          const { code } = await rotating;
          assert.ok(code === 0 || code === 4, `${code}`);
          await etcd.network.link(1, "up");
          const after = await answered(far, ...request, "--json");
          assert.equal(JSON.parse(after.stdout).version, before + 1, after.stderr);
          assert.equal(await version(), before + 1);
        }
      },
    );

    await t.step("wrong credentials are refused and reported as wrong", async () => {
      const refusal = async (env: Record<string, string>) => {
        const { code, stderr } = await near.run(["status", "--json"], { env });
        assert.equal(code, 4, stderr);
        assert.doesNotMatch(stderr, new RegExp(EtcdApart.password));
        return JSON.parse(stderr).error;
      };
      const code = async (env: Record<string, string>) => (await refusal(env)).code;
      const wrong = join(near.home, "wrong");
      Deno.writeTextFileSync(wrong, "wrong\n", { mode: 0o600 });
      assert.equal(await code({ REKEY_ETCD_PASSWORD_FILE: wrong }), "etcd_denied");
      assert.equal(await code({ REKEY_ETCD_PREFIX: "/elsewhere/" }), "etcd_denied");
      const { findings } = await examined(near, [], { env: { REKEY_ETCD_PASSWORD_FILE: wrong } });
      assert.ok(findings.some(({ code }) => code === "etcd_denied"));
      assert.equal(await code({ REKEY_ETCD_USER: "" }), "etcd_denied");
      const named = {
        REKEY_ETCD_CERT: etcd.file("named.pem"),
        REKEY_ETCD_KEY: etcd.file("named.key"),
      };
      assert.equal(await code(named), "etcd_denied");
      const uncertified = await refusal({ REKEY_ETCD_CERT: "", REKEY_ETCD_KEY: "" });
      assert.equal(uncertified.code, "etcd_unavailable");
      assert.match(uncertified.message, /client certificate/);
      const unvouched = await refusal({ REKEY_ETCD_CA: "" });
      assert.equal(unvouched.code, "etcd_unavailable");
      assert.match(unvouched.message, /REKEY_ETCD_CA/);
    });
  },
});
