import { join } from "node:path";
import { ApacheGuard } from "../../tests/support/consumers/apache.ts";
import { statusOf } from "../../tests/support/consumers/attack_table.ts";
import type { Verdict } from "../../tests/support/consumers/consumer.ts";
import { Dovecot } from "../../tests/support/consumers/dovecot.ts";
import { HaproxyGuard } from "../../tests/support/consumers/haproxy.ts";
import { NginxGuard, type NginxPreset } from "../../tests/support/consumers/nginx.ts";
import { must } from "../../tests/support/cluster/etcd.ts";
import { Box } from "../../tests/support/process/box.ts";
import { Upstream } from "../../tests/support/proxy/proxies.ts";
import { pause } from "../../tests/support/timing/pause.ts";
import { freePort } from "../../tests/support/http/ports.ts";
import { milliseconds, type Part, percentile, type Row } from "./result.ts";

/** How long a program is left alone between two questions, in milliseconds: asking takes processor time too. */
const PAUSE_MS = 10;

/** A program that verifies by itself, and how it answers a token. */
interface Asked {
  readonly name: string;
  readonly answer: (token: string) => Promise<Verdict>;
}

/**
 * Rotations without a grace period that five programs of Debian follow: when the last one refuses the old token, after
 * `rotate` was started. All of them are asked the whole time.
 */
export async function refusals(rotations: number): Promise<Part> {
  using alone = new Box();
  await must(alone, "init");
  await using programs = await FivePrograms.start();
  const rotate = ["rotate", "--force"];
  const times = new Map<string, number[]>();
  const note = (name: string, time: number) => times.set(name, [...times.get(name) ?? [], time]);
  // The first one warms caches.
  for (let count = 0; count <= rotations; count++) {
    const found = await programs.rotated();
    const without = await milliseconds(() => must(alone, ...rotate));
    const reloads = await programs.reloaded();
    if (count === 0) continue;
    for (const [name, time] of found) note(name, time);
    note(WITHOUT, without);
    for (const [name, time] of reloads) note(name, time);
  }
  const row = (name: string, share = 0.5): Row => ({
    name: `${name}: p${100 * share}`,
    value: percentile(times.get(name)!, share),
    unit: "ms",
  });
  return {
    title: `An incident that five programs follow (${rotations} rotations)`,
    rows: [
      ...[row(LAST), row(LAST, 0.99)],
      ...programs.asked.map(({ name }) => row(`${name} refuses it`)),
      ...[WITH, WITHOUT, APACHE, DOVECOT].map((name) => row(name)),
    ],
  };
}

const LAST = "the last of five programs refuses the old token, after rotate began";
const WITH = "rotate with five deliveries, whole process";
const WITHOUT = "rotate without deliveries, whole process";
const APACHE = "the reload command of Apache alone";
const DOVECOT = "the reload command of Dovecot alone";

/** HAProxy, nginx with njs and with Lua, Apache and Dovecot, all with the keys of one secret. */
class FivePrograms implements AsyncDisposable {
  readonly box = new Box();
  readonly asked: Asked[] = [];
  readonly #app = new Upstream();
  #dovecot: Dovecot | undefined;
  readonly #stack = new AsyncDisposableStack();

  private constructor() {
    this.#stack.use(this.box);
    this.#stack.use(this.#app);
  }

  static async start(): Promise<FivePrograms> {
    const programs = new FivePrograms();
    try {
      await must(programs.box, "init");
      // nginx's workers and Dovecot are other users.
      await Deno.chmod(programs.box.home, 0o711);
      await programs.#startAll();
      return programs;
    } catch (error) {
      await programs[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #startAll(): Promise<void> {
    const { box } = this;
    const socket = ["--set", `socket=${HaproxyGuard.socketIn(box)}`];
    await this.#guard("HAProxy", "haproxy", socket, (place) => HaproxyGuard.start(box, place));
    for (const [name, preset] of NGINX) {
      const own = this.#stack.use(new Box());
      await Deno.chmod(own.home, 0o711);
      await this.#guard(name, preset, [], (place) => NginxGuard.start(own, { ...place, preset }));
    }
    const reload = ["--reload", ApacheGuard.reload(box)];
    await this.#guard("Apache", "apache", reload, (place) => ApacheGuard.start(box, place));
    const dovecot = this.#dovecot = this.#stack.use(await Dovecot.prepare());
    await dovecot.start();
    await must(box, "deliver", "add", "dovecot", ...dovecot.delivery);
    this.asked.push({ name: "Dovecot", answer: (token) => dovecot.answer(token) });
  }

  async #guard(
    name: string,
    preset: string,
    flags: readonly string[],
    start: (place: { keys: string; app: string; port: number }) => Promise<AsyncDisposable>,
  ): Promise<void> {
    const [keys, port] = [join(this.box.home, `${preset}.keys`), freePort()];
    // Some do not start without the file, which Apache has in a folder.
    if (preset === "apache") await Deno.mkdir(keys);
    await Deno.writeTextFile(preset === "apache" ? join(keys, "keys.conf") : keys, "");
    this.#stack.use(await start({ keys, app: this.#app.address, port }));
    const given = ["--preset", preset, "--path", keys, "--set", `url=http://127.0.0.1:${port}/`];
    await must(this.box, "deliver", "add", preset, ...given, ...flags, "--force");
    this.asked.push({ name, answer: async (token) => VERDICTS[await statusOf(port, token)]! });
  }

  /** Rotates. @returns milliseconds until each program refuses the old token, the last one does, and the command exits. */
  async rotated(): Promise<Map<string, number>> {
    const { token } = await this.box.json("issue", "--sub", "alice");
    const began = performance.now();
    let ended = Infinity;
    const asking = this.asked.map(({ name, answer }) =>
      untilRefused(() => answer(token), () => ended)
        .then((at) => [name + " refuses it", at - began] as const)
    );
    await must(this.box, "rotate", "--force");
    ended = performance.now();
    const times = await Promise.all(asking);
    const last = Math.max(...times.map(([, time]) => time));
    return new Map([...times, [LAST, last], [WITH, ended - began]]);
  }

  /** Reloads the two programs that have to be. @returns milliseconds of each command. */
  async reloaded(): Promise<Map<string, number>> {
    const apache = async () => {
      const { code, stderr } = await this.box.exec("sh", ["-c", ApacheGuard.reload(this.box)]);
      if (code !== 0) throw new Error(stderr);
    };
    return new Map([
      [APACHE, await milliseconds(apache)],
      [DOVECOT, await milliseconds(() => this.#dovecot!.reload())],
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

const NGINX: readonly (readonly [string, NginxPreset])[] = [
  ["nginx with njs", "nginx"],
  ["nginx with Lua", "nginx-lua"],
];

const VERDICTS: Record<number, Verdict> = { 0: "unavailable", 200: "accepted", 401: "refused" };

/**
 * Asks until the command has ended and the program refuses the token.
 *
 * @returns the time of the first refusal after which it accepted none.
 * @throws if it accepts one after the end of the command.
 */
async function untilRefused(
  answer: () => Promise<Verdict>,
  ended: () => number,
): Promise<number> {
  for (let refused: number | undefined;;) {
    const began = performance.now();
    const verdict = await answer();
    if (verdict === "accepted" && began > ended()) throw new Error("accepted after the end");
    if (verdict === "accepted") refused = undefined;
    if (verdict === "refused") refused ??= performance.now();
    if (refused !== undefined && began > ended()) return refused;
    await pause(PAUSE_MS);
  }
}
