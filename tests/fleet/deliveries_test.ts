import assert from "node:assert/strict";
import { Etcd, Fleet, must } from "../support/cluster/etcd.ts";
import { restart, withVerifier } from "../support/deliver/told_verifier.ts";
import type { Verifier } from "../support/deliver/verifier.ts";
import { Serving } from "../support/http/serving.ts";
import { type Box, REKEY } from "../support/process/box.ts";
import { until } from "../support/timing/pause.ts";
import { start } from "../../scripts/program.ts";

// Longer than a command takes: what does not wait for a program is found out.
const TAKES = 1;

/** A fleet whose first machine rotates, and whose others deliver: one by a watch, one by a server. */
class Delivering implements AsyncDisposable {
  readonly #parts = new AsyncDisposableStack();
  readonly verifiers: Verifier[] = [];
  watch!: Deno.ChildProcess;

  private constructor(readonly fleet: Fleet) {
    this.#parts.use(fleet);
  }

  static async start(etcd: Etcd, prefix: string, { takes = TAKES } = {}): Promise<Delivering> {
    const it = new Delivering(await Fleet.start(etcd, 3, prefix));
    const [, two, three] = it.machines;
    for (const box of [two, three]) {
      const verifier = it.#parts.use(await withVerifier(box, { takes }));
      it.verifiers.push(verifier);
    }
    it.watch = start(REKEY, ["deliver", "sync", "--watch"], two.surroundings());
    it.#parts.defer(() => it.stopWatching("SIGKILL").then(() => {}));
    it.#parts.use(await Serving.start(three, ["--workers", "1"]));
    await until(async () => (await it.servers()).length === 2);
    return it;
  }

  get machines(): [Box, Box, Box] {
    return this.fleet.machines as [Box, Box, Box];
  }

  /** The members as the first machine sees them. */
  async servers() {
    return (await must(this.machines[0], "status")).fleet.servers;
  }

  /** What each verifier says to a token. */
  accepts(token: string): Promise<boolean[]> {
    return Promise.all(this.verifiers.map((verifier) => verifier.accepts(token)));
  }

  async stopWatching(signal: Deno.Signal): Promise<number> {
    try {
      this.watch.kill(signal);
    } catch (error) {
      // It has ended already.
      if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
    }
    return (await this.watch.status).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
  }
}

/** Does something again and again until it is told to end. */
class Repeating implements AsyncDisposable {
  #isOver = false;
  readonly #going: Promise<void>;

  constructor(task: () => Promise<void>) {
    this.#going = (async () => {
      while (!this.#isOver) await task();
    })();
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#going;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}

Deno.test("programs of other machines", async (t) => {
  await using etcd = await Etcd.start(1);

  await t.step("have followed a rotation and a revocation that waited", async () => {
    await using it = await Delivering.start(etcd, "waiting");
    const [one] = it.machines;
    const old = await one.token();
    assert.deepEqual(await it.accepts(old), [true, true]);
    assert.deepEqual((await must(one, "rotate", "--force", "--wait", "60s")).unconfirmed, []);
    assert.deepEqual(await it.accepts(old), [false, false]);
    const second = await one.token();
    assert.deepEqual(await it.accepts(second), [true, true]);
    await must(one, "rotate", "--force", "--grace", "1h", "--wait", "60s");
    assert.deepEqual(await it.accepts(second), [true, true]);
    assert.deepEqual(await it.accepts(await one.token()), [true, true]);
    assert.deepEqual((await must(one, "revoke", "--wait", "60s")).unconfirmed, []);
    assert.deepEqual(await it.accepts(second), [false, false]);
    // A watch that ends in order is not waited for.
    assert.equal(await it.stopWatching("SIGTERM"), 0);
    assert.equal((await it.servers()).length, 1);
  });

  await t.step(
    "are named by a rotation with a grace period that did not ask them first",
    async () => {
      await using it = await Delivering.start(etcd, "one-phase", { takes: 0 });
      const [one, two] = it.machines;
      const warned = async (box: Box, ...args: string[]) => {
        const { code, stderr } = await box.run(["rotate", ...args]);
        assert.equal(code, 0, stderr);
        const [, names] = /^warning: programs of other machines .*: (.*); `rekey rotate --prepare/m
          .exec(stderr) ?? [];
        return names?.split(", ").length ?? 0;
      };
      const graceful = ["--force", "--grace", "1h"];
      assert.equal(await warned(one, ...graceful), 2);
      assert.equal(await warned(two, ...graceful), 1, "its own watch does not count");
      assert.equal(await warned(one, ...graceful, "--if-older-than", "1d"), 0);
      assert.equal(await warned(one, "--force"), 0);
      await must(one, "rotate", "--prepare", "--wait", "30s");
      assert.equal(await warned(one, "--activate", "--grace", "1h"), 0);
    },
  );

  await t.step("are named while they have not followed, and nothing else is", async () => {
    await using it = await Delivering.start(etcd, "failing", { takes: 0 });
    const [one, two] = it.machines;
    const [verifier] = it.verifiers;
    const old = await one.token();
    await verifier!.stop();
    // Enough for the server that follows.
    const rotated = await one.run(["rotate", "--force", "--wait", "8s", "--json"]);
    assert.equal(rotated.code, 5, rotated.stderr);
    const { unconfirmed } = JSON.parse(rotated.stdout);
    assert.deepEqual(unconfirmed.map((member: { deliveries: unknown }) => member.deliveries), [
      { behind: 1, names: ["api"] },
    ]);
    assert.match(
      rotated.stderr,
      /a server has not confirmed .*: \S+@\S+ \([\w-]+\) with delivery api/,
    );
    const { stdout } = await one.run(["status"]);
    assert.match(stdout, /^servers +2, 1 behind$/m);
    assert.match(stdout, /^behind +\S+@\S+ \([\w-]+\) with delivery api$/m);
    const { findings } = await one.json("doctor");
    const found = findings.filter(({ code }: { code: string }) => code === "fleet_lagging");
    assert.match(found[0].what, /follows with delivery api behind$/);
    await restart(two, verifier!);
    await until(async () =>
      !(await it.servers()).some(({ behind }: { behind: boolean }) => behind)
    );
    assert.deepEqual(await it.accepts(old), [false, false]);
    assert.deepEqual(await it.accepts(await one.token()), [true, true]);
  });

  await t.step("refuse no valid token while the fleet rotates in two phases", async () => {
    await using it = await Delivering.start(etcd, "phases");
    const [one] = it.machines;
    const tokens = [await one.token()];
    let [asked, refused] = [0, 0];
    const ask = async (token: string) => {
      asked++;
      refused += (await it.accepts(token)).filter((accepted) => !accepted).length;
    };
    await using asking = new Repeating(() => ask(tokens[asked % tokens.length]!));
    for (let n = 0; n < 3; n++) {
      // Not waited for: the activation is refused while the programs lack the next key.
      const { kid } = await must(one, "rotate", "--prepare");
      await until(async () => {
        const activated = await one.run(["rotate", "--activate", "--grace", "1h"]);
        if (activated.code === 0) return true;
        assert.equal(activated.code, 5, activated.stderr);
        assert.match(activated.stderr, /not confirmed by .*with delivery api/);
        return false;
      });
      const token = await one.token();
      assert.equal(JSON.parse(atob(token.split(".")[0]!)).kid, kid);
      tokens.push(token);
      await ask(token);
    }
    await asking.end();
    assert.equal(refused, 0, `${refused} refusals, ${asked} asked`);
    assert.ok(asked > 20, `${asked} asked`);
  });

  await t.step("that do not take the prepared key stop the activation, unless forced", async () => {
    await using it = await Delivering.start(etcd, "unprepared", { takes: 0 });
    const [one] = it.machines;
    await it.verifiers[1]!.stop();
    const prepared = await one.run(["rotate", "--prepare", "--wait", "4s"]);
    assert.equal(prepared.code, 5);
    assert.match(prepared.stderr, /not confirmed it in time: .*with delivery api/);
    const activated = await one.run(["rotate", "--activate"]);
    assert.equal(activated.code, 5);
    assert.match(activated.stderr, /not confirmed by [^,]*with delivery api/);
    assert.equal((await must(one, "status")).version, 1);
    assert.equal((await must(one, "rotate", "--activate", "--force")).version, 2);
  });

  await t.step("are waited for on this machine too, and told apart from others", async () => {
    await using it = await Delivering.start(etcd, "both", { takes: 0 });
    const [one] = it.machines;
    await using own = await withVerifier(one, { name: "own", takes: 0 });
    await own.stop();
    await it.verifiers[0]!.stop();
    const prepared = await one.run(["rotate", "--prepare", "--wait", "4s"]);
    assert.equal(prepared.code, 5);
    assert.match(prepared.stderr, /Not followed: own: its reload .*with delivery api/);
  });

  await t.step("of an older rekey are not asked about, of an unknown one not trusted", async () => {
    using fleet = await Fleet.start(etcd, 1, "lines");
    const [one] = fleet.machines as [Box];
    const line = { actor: "deploy@web-9", change: 1_000, version: 1, prepared: null };
    const member = { ...line, since: 0, max_staleness: 10_000, rekey: "0.0.1" };
    const put = (id: string, more = {}) =>
      etcd.ctl(
        "put",
        `/lines/agiworkforce/members/${id}`,
        JSON.stringify({ ...member, id, ...more }),
      );
    await put("old");
    await put("done", { deliveries: { behind: 0, names: [] } });
    assert.deepEqual((await must(one, "rotate", "--force", "--wait", "30s")).unconfirmed, []);
    const odd = [{ behind: 12, names: ["a\u001b[2Jb", "c"] }, { behind: 1, names: [] }, {
      behind: "none",
      names: [],
    }, { behind: 0, names: [1] }];
    for (const [n, deliveries] of odd.entries()) await put(`odd${n}`, { deliveries });
    const { code, stderr } = await one.run(["rotate", "--force", "--wait", "1s"]);
    assert.equal(code, 5);
    assert.match(stderr, /4 servers have not confirmed it/);
    assert.match(stderr, /web-9 \(odd0\) with deliveries a\?\?2Jb, c and 10 more/);
    assert.match(stderr, /web-9 \(odd1\) with unreadable deliveries/);
    assert.match(stderr, /unknown \(odd2\), unknown \(odd3\)/);
  });
});
