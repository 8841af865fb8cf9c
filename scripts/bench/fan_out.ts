import { Etcd } from "../../tests/support/cluster/etcd.ts";
import { EtcdClient } from "../../src/etcd/client.ts";
import { put } from "../../src/etcd/wire.ts";
import type { Part, Row } from "./result.ts";

const WATCHERS = [10, 100, 1_000, 3_000];
const CHANGES = 10;
const READERS = 64;
const READ_MS = 3_000;

/** What a single etcd of three members carries on this machine: watches that hear of a change, and linearizable reads. */
export async function fanOut(): Promise<Part> {
  await using etcd = await Etcd.start(3, [], { onDisk: true });
  const rows: Row[] = [];
  const row = (name: string, value: number, unit: string) =>
    rows.push({ name, value, unit, goals: [] });
  for (const count of WATCHERS) {
    row(`${count} watches: the last one hears of a change`, await heard(etcd, count), "ms");
  }
  row(`linearizable reads of the state, ${READERS} at a time`, await reads(etcd), "a second");
  return { title: "What etcd carries, with everything on this machine", rows };
}

/** Median of how long it takes until the last watch has heard, in milliseconds. */
async function heard(etcd: Etcd, count: number): Promise<number> {
  const clients = etcd.members.map(({ url }) => new EtcdClient({ endpoints: [url], prefix: "/" }));
  const stop = new AbortController();
  let hearing = 0;
  let all = Promise.withResolvers<void>();
  const changed = () => {
    if (++hearing % count === 0) all.resolve();
  };
  for (let n = 0; n < count; n++) {
    clients[n % clients.length]!.watch("/watched", changed, stop.signal).catch(() => {});
  }
  // Each says once that it has begun.
  await all.promise;
  const times: number[] = [];
  for (let n = 0; n < CHANGES; n++) {
    all = Promise.withResolvers();
    const began = performance.now();
    await clients[0]!.txn([], [put("/watched", "x".repeat(1_000))]);
    await all.promise;
    times.push(performance.now() - began);
  }
  stop.abort();
  return times.toSorted((a, b) => a - b)[CHANGES / 2]!;
}

async function reads(etcd: Etcd): Promise<number> {
  const clients = etcd.members.map(({ url }) => new EtcdClient({ endpoints: [url], prefix: "/" }));
  let count = 0;
  const began = performance.now();
  await Promise.all(Array.from({ length: READERS }, async (_, n) => {
    while (performance.now() - began < READ_MS) {
      await clients[n % clients.length]!.range("/watched");
      count++;
    }
  }));
  return count / ((performance.now() - began) / 1000);
}
