import assert from "node:assert/strict";
import { join } from "node:path";
import { Box } from "../process/box.ts";
import { answered, must } from "./etcd.ts";
import { EtcdApart } from "./etcd_apart.ts";
import { type Fault, FAULTS, SMALL_DISK } from "./fleet_faults.ts";
import { pause, until } from "../timing/pause.ts";
import { Serving } from "../http/serving.ts";

const STALENESS_MS = 2_000;
const FLAGS = ["--workers", "1", "--no-access-log", "--max-staleness", `${STALENESS_MS / 1000}s`];

/** Which link each machine is behind: the second one is cut off. */
const MACHINES = [0, 0, 0, 1, 1] as const;

/** Every so many rotations one waits for all servers. */
const WAITING = 4;

/** What a drill has found of one kind of fault. */
export interface FaultReport {
  readonly fault: string;
  made: number;
  refused: number;
  /** How long after the end of a rotation a server still accepted a token that it had ended, at most. */
  longestMs: number;
}

interface Token {
  readonly text: string;
  readonly version: number;
}

/**
 * Five machines serve and rotate, one after the other, while members of etcd and networks fail. What must not be ends
 * it: a server that accepts on knowledge older than it may, or after `rotate --wait` has exited 0; a rotation that is
 * lost; machines that differ once everything works again.
 *
 * @param rotations the faults come again until so many were made; each comes at least once.
 */
export async function drill(
  rotations: number,
  faults: readonly Fault[] = FAULTS,
): Promise<FaultReport[]> {
  await using apart = await EtcdApart.start(3, SMALL_DISK);
  await using fleet = await DrilledFleet.start(apart);
  for (let n = 0; n < faults.length || fleet.made < rotations; n++) {
    await fleet.during(
      faults[n % faults.length]!.name,
      () => faults[n % faults.length]!.happen(apart),
    );
  }
  return [...fleet.reports.values()];
}

class DrilledFleet implements AsyncDisposable {
  readonly reports = new Map<string, FaultReport>();
  #report!: FaultReport;
  #highest = 1;
  #rotated = 0;
  #ended = false;
  // The newest token, and the one before: it has just ended, or is about to.
  #tokens: Token[] = [];
  /** When the version of that number was certainly current: what came before had ended then. */
  readonly #since = new Map<number, { at: number; everywhere: boolean }>();

  private constructor(readonly boxes: Box[], readonly servers: Serving[]) {}

  static async start(apart: EtcdApart): Promise<DrilledFleet> {
    const kek = crypto.getRandomValues(new Uint8Array(32));
    const boxes = MACHINES.map((link) => {
      const box = new Box(apart.environment(link));
      box.env.REKEY_KEK_FILE = join(box.home, "kek");
      Deno.writeFileSync(box.env.REKEY_KEK_FILE, kek, { mode: 0o600 });
      return box;
    });
    for (const box of boxes) await must(box, "init");
    return new DrilledFleet(
      boxes,
      await Promise.all(boxes.map((box) => Serving.start(box, FLAGS))),
    );
  }

  get made(): number {
    return this.#since.size;
  }

  /** Rotates and asks while something fails; then all machines have to agree. */
  async during(fault: string, happen: () => Promise<void>): Promise<void> {
    this.#report = this.reports.get(fault) ?? { fault, made: 0, refused: 0, longestMs: 0 };
    this.reports.set(fault, this.#report);
    this.#ended = false;
    const work = [this.#rotate(), ...this.servers.map((server) => this.#ask(server))];
    const failing = happen().finally(() => this.#ended = true);
    await Promise.all([failing, ...work]);
    await this.#agree();
  }

  async #rotate(): Promise<void> {
    while (!this.#ended) {
      const box = this.boxes[this.#rotated++ % this.boxes.length]!;
      await this.#newToken(box);
      const wait = this.#rotated % WAITING === 0;
      const args = ["rotate", "--force", "--no-backup", "--json", ...wait ? ["--wait", "8s"] : []];
      const { code, stdout, stderr } = await box.run(args);
      if (code === 0 || code === 5) {
        const { version } = JSON.parse(stdout);
        assert.ok(version > this.#highest, `version ${version} after ${this.#highest}`);
        this.#highest = version;
        this.#since.set(version, { at: performance.now(), everywhere: wait && code === 0 });
        this.#report.made++;
      } else {
        assert.equal(code, 4, stderr);
        this.#report.refused++;
      }
    }
  }

  async #newToken(box: Box): Promise<void> {
    const issued = await box.run(["issue", "--sub", "alice", "--json"]);
    if (issued.code !== 0) return;
    const { token: text } = JSON.parse(issued.stdout);
    const { stdout } = await box.run(["verify", text, "--json"]);
    // It may be cut off by now, or the version have ended.
    const { version } = JSON.parse(stdout || "{}");
    if (version !== undefined) this.#tokens = [{ text, version }, ...this.#tokens.slice(0, 1)];
  }

  async #ask(server: Serving): Promise<void> {
    while (!this.#ended) {
      for (const token of this.#tokens) {
        const began = performance.now();
        if (await server.auth(token.text) === 204) this.#accepted(token, began);
      }
      await pause(25);
    }
  }

  #accepted({ version }: Token, began: number): void {
    for (const [later, { at, everywhere }] of this.#since) {
      if (later <= version) continue;
      const late = began - at;
      assert.ok(!everywhere || late < 0, `accepted ${late} ms after rotate --wait had exited 0`);
      assert.ok(late <= STALENESS_MS, `accepted ${late} ms after rotate had exited 0`);
      this.#report.longestMs = Math.max(this.#report.longestMs, late);
    }
  }

  async #agree(): Promise<void> {
    const states = await this.#states();
    assert.equal(new Set(states.map(({ version, kid }) => `${version} ${kid}`)).size, 1);
    assert.ok(states[0]!.version >= this.#highest, "a rotation was lost");
    this.#highest = states[0]!.version;
    const token = await this.boxes.at(-1)!.token();
    for (const box of this.boxes) assert.equal((await answered(box, "verify", token)).code, 0);
    for (const server of this.servers) {
      const accepts = async () => await server.auth(token) === 204;
      await until(accepts, { every: 50, otherwise: () => server.stderr });
    }
  }

  async #states(): Promise<{ version: number; kid: string }[]> {
    const found = await Promise.all(this.boxes.map((box) => answered(box, "status", "--json")));
    return found.map(({ stdout, stderr }) => JSON.parse(stdout || stderr));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.servers) await server[Symbol.asyncDispose]();
    for (const box of this.boxes) box[Symbol.dispose]();
  }
}
