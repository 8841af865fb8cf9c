import { Box } from "../../tests/support/process/box.ts";
import { Etcd, Fleet, must } from "../../tests/support/cluster/etcd.ts";
import { Serving } from "../../tests/support/http/serving.ts";
import { KnownSecret } from "./known_secret.ts";
import { load } from "./load.ts";
import { type Contender, type Goal, inTurn, type Part, percentile, type Row } from "./result.ts";
import { rekeyServer, type Server } from "./servers.ts";

const MACHINES = 5;
const ROTATIONS = 100;

const LOCAL = "rekey, secret in the database, tokens seen before";
const SHARED = "rekey, secret in etcd, tokens seen before";
const LOCAL_NEW = "rekey, secret in the database, every token new";
const SHARED_NEW = "rekey, secret in etcd, every token new";

const GOALS: Record<string, Goal[]> = {
  [SHARED]: [{ to: LOCAL, sense: "≥", ratio: 0.95 }],
  [SHARED_NEW]: [{ to: LOCAL_NEW, sense: "≥", ratio: 0.95 }],
};

/** Whether etcd is asked for requests, and how long a rotation takes to reach every server. */
export async function fleet(rounds: number): Promise<Part> {
  await using etcd = await Etcd.start(3, [], { onDisk: true });
  return {
    title: "A fleet: three members of etcd and all machines on this one",
    rows: [...await speed(etcd, rounds), ...await reach(etcd)],
  };
}

async function speed(etcd: Etcd, rounds: number): Promise<Row[]> {
  using folder = new Box();
  const secret = new KnownSecret();
  const [seen, fresh] = [`${folder.home}/seen`, `${folder.home}/new`];
  secret.writeTokens(seen, 100);
  secret.writeTokens(fresh, 100_000);
  await using local = await rekeyServer(secret, 1);
  await using shared = await sharedServer(etcd, secret);
  const asked: [string, string, string][] = [
    [LOCAL, local.url, seen],
    [SHARED, shared.url, seen],
    [LOCAL_NEW, local.url, fresh],
    [SHARED_NEW, shared.url, fresh],
  ];
  const contenders: Contender[] = asked.map(([name, url, tokens]) => ({
    name,
    run: () => load(url, { tokens }),
  }));
  const medians = await inTurn(contenders, rounds);
  return [...medians].map(([name, value]) => ({
    name,
    value,
    unit: "a second",
    goals: GOALS[name] ?? [],
  }));
}

async function sharedServer(etcd: Etcd, secret: KnownSecret): Promise<Server> {
  const fleet = new Fleet(etcd, 1, "speed");
  await secret.importInto(fleet.machines[0]!);
  const serving = await Serving.start(fleet.machines[0]!, ["--workers", "1", "--no-access-log"]);
  const dispose = async () => {
    await serving[Symbol.asyncDispose]();
    fleet[Symbol.dispose]();
  };
  return { url: serving.url, id: serving.process.pid, [Symbol.asyncDispose]: dispose };
}

/** How long after a rotation has begun the last server has accepted the old token, and when the command ends. */
async function reach(etcd: Etcd): Promise<Row[]> {
  using fleet = await Fleet.start(etcd, MACHINES, "reach");
  const flags = ["--workers", "1", "--no-access-log"];
  const servers = await Promise.all(fleet.machines.map((box) => Serving.start(box, flags)));
  const [last, ended, waited]: [number[], number[], number[]] = [[], [], []];
  try {
    for (let n = 0; n < ROTATIONS; n++) {
      const box = fleet.machines[n % MACHINES]!;
      const token = await box.token();
      const began = performance.now();
      let refused = 0;
      const asking = servers.map(async (server) => {
        for (let at = performance.now();; at = performance.now()) {
          if (await server.auth(token) !== 204) return;
          refused = Math.max(refused, at);
        }
      });
      const wait = n % 2 === 0 ? [] : ["--wait", "10s"];
      await must(box, "rotate", "--force", "--no-backup", ...wait);
      (wait.length === 0 ? ended : waited).push(performance.now() - began);
      await Promise.all(asking);
      last.push(refused - began);
    }
  } finally {
    for (const server of servers) await server[Symbol.asyncDispose]();
  }
  const row = (name: string, value: number) => ({ name, value, unit: "ms", goals: [] });
  return [
    row(
      `the last of ${MACHINES} servers accepts the old token, after rotate began: p50`,
      percentile(last, 0.5),
    ),
    row(
      `the last of ${MACHINES} servers accepts the old token, after rotate began: p99`,
      percentile(last, 0.99),
    ),
    row("rotate, whole process", percentile(ended, 0.5)),
    row("rotate --wait, whole process", percentile(waited, 0.5)),
  ];
}
