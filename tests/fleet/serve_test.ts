import assert from "node:assert/strict";
import type { Box } from "../support/process/box.ts";
import { Etcd, Fleet, must } from "../support/cluster/etcd.ts";
import { Serving } from "../support/http/serving.ts";
import { sql } from "../support/store/sql.ts";
import { pause, until } from "../support/timing/pause.ts";

const STALENESS_MS = 2_000;
/** Where what is looked at is not its end: a machine may stand still for seconds. */
const LONG_MS = 30_000;

/** A fleet whose machines all serve. */
class Served implements AsyncDisposable {
  private constructor(readonly fleet: Fleet, readonly servers: Serving[]) {}

  /** @param staleness for how long they go on without etcd, in milliseconds. */
  static async start(
    etcd: Etcd,
    count: number,
    prefix: string,
    staleness = LONG_MS,
  ): Promise<Served> {
    const fleet = await Fleet.start(etcd, count, prefix);
    const flags = ["--workers", "1", "--max-staleness", `${staleness / 1000}s`];
    const starting = fleet.machines.map((box) => Serving.start(box, flags));
    return new Served(fleet, await Promise.all(starting));
  }

  get machines() {
    return this.fleet.machines;
  }

  /** What every server says of a token. */
  all(token: string): Promise<number[]> {
    return Promise.all(this.servers.map((server) => server.auth(token)));
  }

  /** Waits until every server answers with a status. */
  async until(token: string, status: number): Promise<void> {
    let found: number[] = [];
    const allSay = async () => (found = await this.all(token)).every((one) => one === status);
    await until(allSay, { otherwise: () => `The servers say ${found}` });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.servers) await server[Symbol.asyncDispose]();
    this.fleet[Symbol.dispose]();
  }
}

// The loader leaves out what is not there without a word that counts.
function faketime(): string {
  const folders = [...Deno.readDirSync("/usr/lib")].map(({ name }) => `/usr/lib/${name}`);
  const path = folders.map((folder) => `${folder}/faketime/libfaketimeMT.so.1`).find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
  assert.ok(path, "libfaketime is not installed");
  return path;
}

Deno.test("servers of a fleet", async (t) => {
  await using etcd = await Etcd.start(1);

  await t.step(
    "once rotate --wait has ended, none accepts the old token, nor ever did",
    async () => {
      await using served = await Served.start(etcd, 5, "wait");
      const [one, two] = [served.machines[0]!, served.machines[1]!];
      for (let n = 0; n < 10; n++) {
        const token = await one.token();
        assert.deepEqual(await served.all(token), [204, 204, 204, 204, 204]);
        let ended = false;
        let acceptances = 0;
        const asking = served.servers.map(async (server) => {
          while (!ended) {
            await server.auth(token);
          }
          for (let more = 0; more < 20; more++) {
            if (await server.auth(token) === 204) acceptances++;
          }
        });
        const { unconfirmed } = await must(
          two,
          "rotate",
          "--force",
          "--wait",
          "30s",
          "--no-backup",
        );
        ended = true;
        await Promise.all(asking);
        assert.deepEqual(unconfirmed, []);
        assert.equal(acceptances, 0);
      }
    },
  );

  await t.step(
    "a session that is ended, and a grace window that is, end on every server",
    async () => {
      await using served = await Served.start(etcd, 2, "ended");
      const [one, two] = [served.machines[0]!, served.machines[1]!];
      const { token, jti } = await must(one, "issue", "--sub", "alice");
      await served.until(token, 204);
      await must(one, "session", "revoke", jti);
      await served.until(token, 401);
      const other = await one.token("bob");
      const logout = await served.servers[0]!.send("POST", "/logout", other);
      await logout.body?.cancel();
      assert.equal(logout.status, 204);
      await served.until(other, 401);
      const third = await one.token("carol");
      await must(two, "rotate", "--force", "--grace", "1h", "--wait", "30s");
      assert.deepEqual(await served.all(third), [204, 204]);
      await must(two, "revoke", "--wait", "30s");
      assert.deepEqual(await served.all(third), [401, 401]);
    },
  );

  await t.step("a server that does not confirm is named, and the exit status says so", async () => {
    await using served = await Served.start(etcd, 2, "silent", 10_000);
    const token = await served.machines[0]!.token();
    await served.until(token, 204);
    const [, silent] = served.servers as [Serving, Serving];
    silent.process.kill("SIGSTOP");
    // Enough for the other one, and less than what the silent one accepted is waited for.
    const rotated = await served.machines[0]!.run(["rotate", "--force", "--wait", "5s", "--json"]);
    assert.equal(rotated.code, 5, rotated.stderr);
    assert.equal(JSON.parse(rotated.stdout).unconfirmed.length, 1);
    assert.match(rotated.stderr, /has not confirmed/);
    // Its lease ends, and with it what it would have accepted.
    const later = await must(served.machines[0]!, "revoke", "--wait", "60s");
    assert.deepEqual(later.unconfirmed, []);
    silent.process.kill("SIGCONT");
    assert.notEqual(await silent.auth(token), 204);
    await served.until(token, 401);
  });

  await t.step(
    "cut off, they accept nothing after the time that was named, and say so",
    async () => {
      await using served = await Served.start(etcd, 2, "stale", STALENESS_MS);
      const token = await served.machines[0]!.token();
      await served.until(token, 204);
      etcd.signal("SIGSTOP");
      const since = performance.now();
      let [last, first] = [0, Infinity];
      for (const end = since + STALENESS_MS + 2_500; performance.now() < end; await pause(20)) {
        const began = performance.now();
        if ((await served.all(token)).includes(204)) last = began - since;
        first = Math.min(first, performance.now() - since);
      }
      // Unless the machine stood still just then.
      if (first < STALENESS_MS / 2) assert.ok(last > 0, "at first they go on");
      // The last answer of etcd may have been under way when it was stopped.
      assert.ok(last < STALENESS_MS + 200, `accepted ${last} ms after etcd was last heard of`);
      assert.deepEqual(await served.all(token), [503, 503]);
      const ready = await served.servers[0]!.get("/readyz");
      assert.equal(ready.status, 503);
      assert.equal((await ready.json()).code, "fleet_stale");
      assert.equal(await served.servers[0]!.status(served.servers[0]!.get("/healthz")), 200);
      // The only member has five seconds to answer.
      for (const server of served.servers) {
        await server.until(() => server.stderr.includes("etcd_unavailable"));
      }
      etcd.signal("SIGCONT");
      await served.until(token, 204);
      for (const server of served.servers) {
        await server.until(() => server.stderr.includes("the fleet is followed again"));
      }
    },
  );

  await t.step("an older copy of the database, put in its place, is not used", async () => {
    using fleet = await Fleet.start(etcd, 1, "copy");
    const [box] = fleet.machines as [Box];
    await using server = await Serving.start(box, ["--workers", "1", "--max-staleness", "30s"]);
    const token = await box.token();
    assert.equal(await server.auth(token), 204);
    const copy = `${box.database}.copy`;
    sql(box, `VACUUM INTO '${copy}'`);
    Deno.chmodSync(copy, 0o600);
    await must(box, "rotate", "--force", "--wait", "30s");
    assert.equal(await server.auth(token), 401);
    // So that nothing tells it better.
    etcd.signal("SIGSTOP");
    for (const end of ["-wal", "-shm"]) await Deno.remove(`${box.database}${end}`).catch(() => {});
    Deno.renameSync(copy, box.database);
    const found = await server.auth(token);
    const ready = await (await server.get("/readyz")).json();
    etcd.signal("SIGCONT");
    assert.equal(found, 503);
    assert.match(ready.detail, /older copy/);
    const refuses = async () => await server.auth(token) === 401;
    await until(refuses, { otherwise: () => server.stderr });
  });

  await t.step("a clock that is set back does not make old knowledge new", async () => {
    const fleet = await Fleet.start(etcd, 1, "clock");
    using box = fleet.machines[0]!;
    const token = await box.token("alice", "--ttl", "30d");
    const offset = `${box.home}/offset`;
    Deno.writeTextFileSync(offset, "+0");
    const env = {
      LD_PRELOAD: faketime(),
      FAKETIME_TIMESTAMP_FILE: offset,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      FAKETIME_DONT_RESET: "1",
    };
    await using server = await Serving.start(box, ["--workers", "1", "--max-staleness", "2s"], {
      env,
    });
    assert.equal(await server.auth(token), 204);
    etcd.signal("SIGSTOP");
    await pause(300);
    Deno.writeTextFileSync(offset, "-1h");
    await pause(STALENESS_MS);
    const found = await server.auth(token);
    etcd.signal("SIGCONT");
    assert.equal(found, 503);
    // The server's own word for it that its clock was set back: its last line of the log.
    const last = () => JSON.parse(server.stdout.trim().split("\n").at(-1) || "{}");
    await server.until(() => last().status === 503);
    const back = Date.now() - Date.parse(last().time);
    assert.ok(back > 3_500_000, `its clock is ${back} ms behind`);
  });

  await t.step("a server that ends is no longer waited for", async () => {
    await using served = await Served.start(etcd, 2, "gone");
    const [, second] = served.servers as [Serving, Serving];
    assert.equal((await second.stop()).code, 0);
    const rotated = await must(served.machines[0]!, "rotate", "--force", "--wait", "30s");
    assert.deepEqual(rotated.unconfirmed, []);
    assert.doesNotMatch(
      await etcd.ctl("get", "--prefix", "/gone/agiworkforce/members/", "--keys-only"),
      /members.*members/s,
    );
  });

  await t.step(
    "in two phases: activated once every server has it, and then without a gap",
    async () => {
      await using served = await Served.start(etcd, 3, "phases");
      const [one, two] = served.machines as [Box, Box, Box];
      const old = await one.token();
      assert.equal((await one.run(["rotate", "--activate"])).code, 1, "nothing is prepared");
      const { version, kid } = await must(two, "rotate", "--prepare", "--wait", "30s");
      assert.equal(version, 2);
      assert.equal((await must(one, "rotate", "--prepare")).kid, kid);
      assert.equal((await must(one, "status")).version, 1);
      assert.deepEqual(await served.all(old), [204, 204, 204]);
      const silent = served.servers[2]!;
      const activated = await must(one, "rotate", "--activate");
      assert.equal(activated.kid, kid);
      // At once, whether they have heard of the activation or not.
      const token = await one.token();
      assert.deepEqual(await served.all(token), [204, 204, 204]);
      await served.until(old, 401);
      // One that is silent has not confirmed the next one.
      silent.process.kill("SIGSTOP");
      await must(one, "rotate", "--prepare");
      const refused = await one.run(["rotate", "--activate", "--json"]);
      assert.equal(refused.code, 5);
      assert.match(JSON.parse(refused.stderr).error.message, /not confirmed by /);
      const forced = await must(one, "rotate", "--activate", "--force");
      assert.equal(forced.version, 3);
      const { stdout } = await one.run(["audit", "list", "--json"]);
      assert.match(stdout, /forced; not confirmed by [^"]*@/);
      silent.process.kill("SIGCONT");
      await served.until(await one.token(), 204);
    },
  );
});
