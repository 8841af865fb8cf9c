import assert from "node:assert/strict";
import { join } from "node:path";
import { Box, REKEY } from "../process/box.ts";
import { start } from "../../../scripts/program.ts";
import { sample, THOROUGH, thoroughly } from "../process/sample.ts";
import { Upstream } from "../proxy/proxies.ts";
import { openSealed } from "../store/sealed.ts";
import { freePort } from "../http/ports.ts";
import { until } from "../timing/pause.ts";
import { statusOf } from "./attack_table.ts";
import { ClosedBeforeAnswer, KeptConnection, requestOf } from "./kept_connection.ts";
import { Load } from "./load.ts";
import type { Place } from "./place.ts";

/** A program that verifies tokens by delivered keys, in front of an application. */
export interface Guard extends AsyncDisposable {
  readonly port: number;
  restart(): Promise<void>;
  stop(): Promise<void>;
  /** All that it has logged. */
  logged(): string;
}

/** How a preset's program is put to the test. */
export interface GuardKind {
  readonly name: string;
  readonly preset: string;
  /** Name of the delivered file or folder. */
  readonly file: string;
  /** Files of the folder that the program needs at its start; the first one has the secrets. */
  readonly inFolder?: readonly string[];
  /** Algorithms of key pairs that it knows, to which the secret is moved softly. */
  readonly pairs?: readonly string[];
  /** Flags of `rekey deliver add` that make the preset fit for a box. */
  flags(box: Box): string[];
  start(box: Box, place: Required<Place>): Promise<Guard>;
  /** Whether its start, reload and probe are another kind's: then what depends on those only is tried thoroughly only. */
  readonly alike?: true;
  /** Whether a request that has begun to come before a change is checked with the former keys. */
  readonly finishesBegun?: true;
  /** What must hold of it after every step. */
  check?(guard: Guard, place: Place): Promise<void>;
}

/** rekey, a delivery, the program and an application. */
class GuardedSite implements AsyncDisposable {
  readonly box = new Box();
  readonly #app = new Upstream();
  guard!: Guard;
  readonly place: Required<Place>;

  private constructor(readonly kind: GuardKind) {
    const keys = join(this.box.home, "delivered", kind.file);
    this.place = { keys, app: this.#app.address, port: freePort() };
  }

  static async open(kind: GuardKind): Promise<GuardedSite> {
    const site = new GuardedSite(kind);
    try {
      await site.#open();
      return site;
    } catch (error) {
      await site[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #open(): Promise<void> {
    const { box, kind, place } = this;
    assert.equal((await box.run(["init"])).code, 0);
    Deno.mkdirSync(join(box.home, "delivered"));
    if (Deno.uid() === 0) Deno.chmodSync(box.home, 0o711);
    // Some do not start without the file.
    if (kind.inFolder !== undefined) Deno.mkdirSync(place.keys);
    for (const path of this.files()) Deno.writeTextFileSync(path, "");
    this.guard = await kind.start(box, place);
    const where = ["--path", place.keys, "--set", `url=http://127.0.0.1:${place.port}/`];
    const flags = [...where, ...kind.flags(box), "--force"];
    await this.rekey("deliver", "add", "guard", "--preset", kind.preset, ...flags);
  }

  /** Paths of what it reads; the first one has the secrets. */
  files(): string[] {
    const { kind: { inFolder }, place: { keys } } = this;
    return inFolder?.map((name) => join(keys, name)) ?? [keys];
  }

  /** Runs rekey, which is to succeed. */
  async rekey(...args: string[]): Promise<void> {
    const { code, stderr } = await this.box.run(args);
    assert.equal(code, 0, `${args.join(" ")}: ${stderr}\n${this.guard?.logged()}`);
    await this.check();
  }

  async check(): Promise<void> {
    await this.kind.check?.(this.guard, this.place);
  }

  ask(token: string): Promise<number> {
    return statusOf(this.place.port, token);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.guard?.[Symbol.asyncDispose]();
    await this.#app[Symbol.asyncDispose]();
    this.box[Symbol.dispose]();
  }
}

const ROTATIONS = THOROUGH ? 100 : 3;

/** The tests that every such program must pass. */
export function guardTests(kind: GuardKind): void {
  const test = kind.alike ? thoroughly : Deno.test;
  if (kind.pairs !== undefined) pairTests(kind, kind.pairs);

  test(`${kind.name}: in a grace period both keys are accepted, after it the new one`, async () => {
    await using site = await GuardedSite.open(kind);
    const old = await site.box.token();
    assert.equal(await site.ask(old), 200);
    await site.rekey("rotate", "--force", "--grace", "1h");
    const fresh = await site.box.token();
    for (const token of [old, fresh]) assert.equal(await site.ask(token), 200);
    await site.guard.restart();
    for (const token of [old, fresh]) assert.equal(await site.ask(token), 200);
    await site.rekey("revoke");
    assert.deepEqual([await site.ask(old), await site.ask(fresh)], [401, 200]);
    await site.guard.restart();
    assert.deepEqual([await site.ask(old), await site.ask(fresh)], [401, 200]);
    await site.check();
  });

  Deno.test(`${kind.name}: no valid token is refused while the key is rotated ${ROTATIONS} times under load`, async () => {
    await using site = await GuardedSite.open(kind);
    const tokens = [await site.box.token()];
    const load = new Load(site.place.port, tokens);
    try {
      for (let count = 1; count <= ROTATIONS; count++) {
        await rotatedWhile(site, (token) => tokens.push(token));
        // Else each rotation would have one key more to deliver.
        if (count % 10 === 0) {
          tokens.splice(0, tokens.length, await site.box.token());
          await load.allAnswered();
          await site.rekey("revoke");
        }
      }
    } finally {
      await load.end();
    }
    assert.deepEqual(Object.keys(load.statuses), ["200"], JSON.stringify(load));
    assert.ok(load.count > 50, JSON.stringify(load.statuses));
  });

  Deno.test(`${kind.name}: once rotate has exited no old token is accepted, on an open connection or a new one`, async () => {
    await using site = await GuardedSite.open(kind);
    for (let count = 1; count <= (THOROUGH ? 50 : 1); count++) {
      const old = await site.box.token();
      const kept = await Promise.all(Array.from({ length: 10 }, () => {
        return KeptConnection.to(site.place.port);
      }));
      for (const connection of kept) assert.equal(await connection.ask(old), 200);
      const begun = kept.splice(0, 3);
      for (const connection of begun) await connection.say(requestOf(old).slice(0, 30));
      await site.rekey("rotate", "--force");
      const finished = begun.map((connection) => afterwards(connection, old, 30));
      if (!kind.finishesBegun) assert.deepEqual(await Promise.all(finished), begun.map(() => 401));
      await Promise.all(finished);
      const statuses = await Promise.all(kept.map((connection) => afterwards(connection, old)));
      assert.deepEqual(statuses.filter((status) => status !== 401 && status !== "closed"), []);
      for (let again = 0; again < 10; again++) assert.equal(await site.ask(old), 401);
      assert.equal(await site.ask(await site.box.token()), 200);
      await site.guard.restart();
      assert.equal(await site.ask(old), 401);
      await site.check();
      for (const connection of [...kept, ...begun]) connection[Symbol.dispose]();
    }
  });

  test(`${kind.name}: while it is down a graceful rotation changes nothing, and rotate --force exits 5 until it follows`, async () => {
    await using site = await GuardedSite.open(kind);
    const old = await site.box.token();
    await site.guard.stop();
    const { kid } = await site.box.json("status");
    const graceful = await site.box.run(["rotate", "--force", "--grace", "1h"]);
    assert.match(graceful.stderr, /Not rotated: guard: /);
    assert.equal((await site.box.json("status")).kid, kid);
    const incident = await site.box.run(["rotate", "--force"]);
    assert.equal(incident.code, 5, incident.stderr);
    assert.match(incident.stderr, /guard/);
    await site.guard.restart();
    await site.rekey("deliver", "sync");
    assert.deepEqual([await site.ask(old), await site.ask(await site.box.token())], [401, 200]);
  });

  test(`${kind.name}: the end of a grace period reaches it while rekey watches`, async () => {
    await using site = await GuardedSite.open(kind);
    const old = await site.box.token();
    const { kid } = await site.box.json("status");
    const end = Date.now() + 5_000;
    await site.rekey("rotate", "--force", "--grace", "5s");
    const answer = await site.ask(old);
    // Else the machine has stood still, and the window may be over.
    if (Date.now() < end) assert.equal(answer, 200);
    await using _watch = watching(site.box);
    await until(async () => await site.ask(old) === 401);
    assert.equal(await site.ask(await site.box.token()), 200);
    await until(() => !Deno.readTextFileSync(site.files()[0]!).includes(kid));
    await site.rekey("deliver", "check");
  });

  test(`${kind.name}: the key is in no log and in no file that others can read`, async () => {
    await using site = await GuardedSite.open(kind);
    await site.rekey("rotate", "--force", "--grace", "1h");
    await site.ask(await site.box.token());
    await site.ask("not.a.token");
    const { value } = await openSealed(site.box);
    const spellings = [value, btoa(value)];
    const [file] = site.files();
    assert.ok(Deno.readTextFileSync(file!).includes(btoa(value)));
    for (const [path, bytes] of site.box.files()) {
      const text = new TextDecoder("latin1").decode(bytes);
      if (path === file || !spellings.some((spelling) => text.includes(spelling))) {
        continue;
      }
      assert.fail(`the key is in ${path}`);
    }
    assert.equal(Deno.statSync(file!).mode! & 0o007, 0);
    for (const spelling of spellings) assert.ok(!site.guard.logged().includes(spelling));
  });
}

/** A guard that knows key pairs: softly from each algorithm to the next, and the last one refused when its time is over. */
function pairTests(kind: GuardKind, pairs: readonly string[]): void {
  Deno.test(`${kind.name}: from HMAC to ${pairs.join(", ")} and back, no valid token is refused and no retired one accepted`, async () => {
    await using site = await GuardedSite.open(kind);
    for (const alg of [...sample(pairs, kind.alike ? pairs.length : 2), "HS256"]) {
      const old = await site.box.token();
      await site.rekey("rotate", "--force", "--grace", "1h", "--alg", alg);
      const fresh = await site.box.token();
      assert.deepEqual([await site.ask(old), await site.ask(fresh)], [200, 200], alg);
      await site.guard.restart();
      assert.deepEqual([await site.ask(old), await site.ask(fresh)], [200, 200], alg);
      await site.rekey("revoke");
      assert.deepEqual([await site.ask(old), await site.ask(fresh)], [401, 200], alg);
      await site.rekey("deliver", "check");
      for (const [path, bytes] of site.box.files()) {
        const text = new TextDecoder("latin1").decode(bytes);
        assert.ok(!text.includes("PRIVATE KEY"), path);
      }
    }
  });
}

const LOGIN_SERVERS = 3;

/** Rotates, while login servers issue tokens that are used at once, whichever key has signed them. */
async function rotatedWhile(site: GuardedSite, take: (token: string) => void): Promise<void> {
  let over = false;
  const issue = async () => {
    while (!over) {
      const token = await site.box.token();
      assert.equal(await site.ask(token), 200);
      take(token);
    }
  };
  const rotating = site.rekey("rotate", "--force", "--grace", "1h").finally(() => over = true);
  await Promise.all([rotating, ...Array.from({ length: LOGIN_SERVERS }, issue)]);
}

/** `rekey deliver sync --watch` until the end of the test. */
function watching(box: Box): AsyncDisposable {
  const process = start(REKEY, ["deliver", "sync", "--watch"], box.surroundings());
  const end = async () => {
    process.kill("SIGTERM");
    await process.status;
  };
  return { [Symbol.asyncDispose]: end };
}

/** The answer to a request of which so many characters are sent already. */
async function afterwards(
  connection: KeptConnection,
  token: string,
  sent = 0,
): Promise<number | "closed"> {
  try {
    await connection.say(requestOf(token).slice(sent));
    return await connection.answer();
  } catch (error) {
    if (error instanceof ClosedBeforeAnswer) return "closed";
    throw error;
  }
}
