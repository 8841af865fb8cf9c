import { statfsSync } from "node:fs";
import { join } from "node:path";
import { Box, type Ended, REKEY } from "../process/box.ts";
import { until } from "../timing/pause.ts";
import { freePorts } from "../http/ports.ts";
import { must as mustRun, run, start, succeeds } from "../../../scripts/program.ts";

/** A member of a real etcd. */
export interface EtcdMember {
  readonly name: string;
  readonly url: string;
  readonly port: number;
  readonly folder: string;
  process: Deno.ChildProcess;
}

/** Where members run, and how they are reached. */
export interface EtcdPlace {
  /** What a member is started by. */
  readonly launch: readonly string[];
  /** Where clients find a member, by its port. */
  readonly url: (port: number) => string;
  readonly listen: (port: number) => string;
  /** Further flags of members, and those of `etcdctl`. */
  readonly flags: readonly string[];
  readonly ctl: readonly string[];
}

const loopback = (port: number) => `http://127.0.0.1:${port}`;
const LOOPBACK: EtcdPlace = { launch: [], url: loopback, listen: loopback, flags: [], ctl: [] };

interface EtcdOptions {
  readonly smallDisk?: number;
  readonly place?: EtcdPlace;
  readonly onDisk?: boolean;
}

const MEMORY = "/dev/shm";
const ENOUGH_BYTES = 4 * 2 ** 30;

// A member waits for its disk with each write. Where many tests write at once that takes seconds, and what is tested is
// not the disk.
function memory(): string | undefined {
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    return bavail * bsize < ENOUGH_BYTES ? undefined : MEMORY;
  } catch {
    return undefined;
  }
}

/** A real etcd on free ports and in a folder of its own; on loopback unless another place is named. */
export class Etcd implements AsyncDisposable {
  readonly members: EtcdMember[] = [];
  /** Who `etcdctl` is to be, with the password, once etcd asks for it. */
  user: string | undefined;
  #mounted: string | undefined;
  #arguments = new Map<EtcdMember, string[]>();

  private constructor(readonly folder: string, private readonly place: EtcdPlace) {}

  /**
   * Starts so many members, and answers once they have a leader.
   *
   * @param more flags of each member.
   * @param smallDisk the member whose folder is a file system of its own, with little room.
   * @param onDisk whether the members are to wait for a real disk, as in a benchmark.
   */
  static async start(
    count: number,
    more: readonly string[] = [],
    { smallDisk, place = LOOPBACK, onDisk = false }: EtcdOptions = {},
  ): Promise<Etcd> {
    const dir = onDisk ? undefined : memory();
    const folder = Deno.makeTempDirSync({ prefix: "rekey-test-", ...dir && { dir } });
    const etcd = new Etcd(folder, place);
    const ports = freePorts(2 * count);
    const peers = ports.slice(count).map(loopback);
    const cluster = peers.map((peer, n) => `m${n}=${peer}`).join();
    for (let n = 0; n < count; n++) {
      const [name, port] = [`m${n}`, ports[n]!];
      const url = place.url(port);
      const folder = join(etcd.folder, name);
      if (n === smallDisk) etcd.#mount(folder);
      const args = ["--name", name, "--data-dir", folder, "--log-level", "error", ...place.flags];
      args.push("--listen-client-urls", place.listen(port), "--advertise-client-urls", url);
      args.push("--listen-peer-urls", peers[n]!, "--initial-advertise-peer-urls", peers[n]!);
      args.push("--initial-cluster", cluster, ...more);
      const member = { name, url, port, folder, process: etcd.#spawn(args) };
      etcd.#arguments.set(member, args);
      etcd.members.push(member);
    }
    await etcd.healthy();
    return etcd;
  }

  // By a shell that becomes it: the runtime gives a child no file to write to.
  #spawn(args: string[]): Deno.ChildProcess {
    const line = `exec "$@" 2>>${join(this.folder, "log")}`;
    const env = { PATH: `${Deno.env.get("PATH")}:/usr/sbin` };
    const all = ["-c", line, "sh", ...this.place.launch, "etcd", ...args];
    return start("sh", all, { env });
  }

  #mount(folder: string): void {
    Deno.mkdirSync(folder, { mode: 0o700 });
    const args = ["-t", "tmpfs", "-o", "size=160m,mode=0700", "tmpfs", folder];
    if (!succeeds("mount", args)) {
      throw new Error("Cannot mount a file system of its own: are you root?");
    }
    this.#mounted = folder;
  }

  /** What `REKEY_ETCD_ENDPOINTS` is to be. */
  get endpoints(): string {
    return this.members.map(({ url }) => url).join();
  }

  /** Waits until it takes writes. @throws after `HANG_MS`, with what the members have written. */
  async healthy(): Promise<void> {
    const log = () => Deno.readTextFileSync(join(this.folder, "log")).slice(-4_000);
    const otherwise = () => `etcd does not take writes: ${log()}`;
    const takesWrites = () => this.ctl("put", "health", "yes").then(() => true);
    await until(takesWrites, { every: 100, otherwise });
  }

  /** Runs `etcdctl`, and answers what it prints. @throws when it fails. */
  async ctl(...args: string[]): Promise<string> {
    const place = ["--endpoints", this.endpoints, "--command-timeout=10s", ...this.place.ctl];
    const user = this.user === undefined ? [] : ["--user", this.user];
    return await mustRun("etcdctl", [...place, ...user, ...args], { env: { ETCDCTL_API: "3" } });
  }

  /** The member that leads. */
  async leader(): Promise<EtcdMember> {
    const lines = (await this.ctl("endpoint", "status")).split("\n");
    const line = lines.find((text) => text.split(", ")[4] === "true");
    return this.members.find(({ url }) => line?.startsWith(`${url},`))!;
  }

  /** How many elections there have been: another number after another leader. */
  async term(): Promise<number> {
    // `endpoint, id, version, size, leads, learns, term, …`, of each member that answers.
    const lines = (await this.ctl("endpoint", "status")).trim().split("\n");
    return Math.max(...lines.map((line) => Number(line.split(", ")[6])));
  }

  /** Ends a member at once, as a power cut does. */
  async kill(member: EtcdMember): Promise<void> {
    member.process.kill("SIGKILL");
    await member.process.status;
  }

  /** Starts a member that was killed. */
  restart(member: EtcdMember): void {
    member.process = this.#spawn(this.#arguments.get(member)!);
  }

  /** Puts a snapshot in the place of what its one member holds, with the same configuration. */
  async restore(snapshot: string): Promise<void> {
    const [member] = this.members as [EtcdMember];
    await this.kill(member);
    Deno.removeSync(member.folder, { recursive: true });
    const same = ["--name", "--data-dir", "--initial-cluster", "--initial-advertise-peer-urls"];
    const args = this.#arguments.get(member)!;
    const flags = same.flatMap((name) => [name, args[args.indexOf(name) + 1]!]);
    await this.ctl("snapshot", "restore", snapshot, ...flags);
    this.restart(member);
    await this.healthy();
  }

  /** Sends every member a signal: SIGSTOP and SIGCONT make it silent for a while. */
  signal(signal: Deno.Signal): void {
    for (const { process } of this.members) process.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { process } of this.members) {
      try {
        process.kill("SIGKILL");
      } catch (error) {
        // It has ended already.
        if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
      }
      await process.status;
    }
    if (this.#mounted) await run("umount", [this.#mounted]);
    Deno.removeSync(this.folder, { recursive: true });
  }
}

/** Machines of a fleet: a box each, with the same KEK. */
export class Fleet implements Disposable {
  readonly machines: Box[];
  readonly #kek = crypto.getRandomValues(new Uint8Array(32));

  /** @param prefix keys of tests that share an etcd are apart by it. */
  constructor(etcd: Etcd, count: number, prefix: string) {
    this.machines = Array.from({ length: count }, () => {
      const box = new Box({
        REKEY_STORE: "etcd",
        REKEY_ETCD_ENDPOINTS: etcd.endpoints,
        REKEY_ETCD_PREFIX: `/${prefix}/`,
      });
      const path = join(box.home, "kek");
      Deno.writeFileSync(path, this.#kek, { mode: 0o600 });
      box.env.REKEY_KEK_FILE = path;
      return box;
    });
  }

  /** Machines of a fleet that has its secret. */
  static async start(etcd: Etcd, count: number, prefix: string): Promise<Fleet> {
    const fleet = new Fleet(etcd, count, prefix);
    for (const box of fleet.machines) await must(box, "init");
    return fleet;
  }

  [Symbol.dispose](): void {
    for (const box of this.machines) box[Symbol.dispose]();
  }
}

/** Runs a command that has to succeed, and answers what it prints with `--json`. */
// deno-lint-ignore no-explicit-any
export async function must(box: Box, ...args: string[]): Promise<any> {
  const { code, stdout, stderr } = await box.exec(REKEY, [...args, "--json"]);
  if (code !== 0) throw new Error(`rekey ${args[0]} (${code}): ${stderr}`);
  return JSON.parse(stdout);
}

/** Runs a command until etcd answers it: members that lose each other answer no one until they have a leader. */
export async function answered(box: Box, ...args: string[]): Promise<Ended> {
  let ended = await box.run(args);
  await until(async () => ended.code !== 4 || (ended = await box.run(args)).code !== 4, {
    otherwise: () => ended.stderr,
  });
  return ended;
}

/** What an etcd holds under a prefix, to be put back later as from an older snapshot. */
export async function kept(etcd: Etcd, prefix: string): Promise<() => Promise<void>> {
  const keys = (await etcd.ctl("get", "--prefix", prefix, "--keys-only")).split("\n").filter(
    Boolean,
  );
  const values = await Promise.all(keys.map((key) => etcd.ctl("get", "--print-value-only", key)));
  return async () => {
    await etcd.ctl("del", "--prefix", prefix);
    for (const [n, key] of keys.entries()) await etcd.ctl("put", key, values[n]!.trimEnd());
  };
}
