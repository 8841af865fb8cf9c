import type { Etcd, EtcdMember } from "./etcd.ts";
import type { EtcdApart } from "./etcd_apart.ts";
import { pause } from "../timing/pause.ts";
import { run } from "../../../scripts/program.ts";

/** The member whose disk can be filled. */
export const SMALL_DISK = 2;

/** Something that fails and is well again. */
export interface Fault {
  readonly name: string;
  happen(apart: EtcdApart): Promise<void>;
}

/** What can happen to an etcd of three members, and to a machine's network. */
export const FAULTS: readonly Fault[] = [
  { name: "nothing", happen: () => pause(3_000) },
  {
    name: "the leader is killed",
    happen: async ({ etcd }) => await killed(etcd, [await etcd.leader()], 3_000),
  },
  {
    name: "another member is killed",
    happen: async ({ etcd }) => await killed(etcd, [await followerOf(etcd)], 3_000),
  },
  {
    name: "most members are killed",
    happen: ({ etcd }) => killed(etcd, etcd.members.slice(0, 2), 5_000),
  },
  { name: "a member is silent", happen: ({ etcd }) => silent(etcd) },
  { name: "two machines are cut off", happen: cutOff },
  { name: "etcd is compacted and defragmented", happen: ({ etcd }) => tidied(etcd) },
  { name: "a member's disk is full", happen: ({ etcd }) => fullDisk(etcd) },
];

async function followerOf(etcd: Etcd): Promise<EtcdMember> {
  const leader = await etcd.leader();
  return etcd.members.find((member) => member !== leader)!;
}

async function killed(etcd: Etcd, members: readonly EtcdMember[], forMs: number): Promise<void> {
  await pause(500);
  for (const member of members) await etcd.kill(member);
  await pause(forMs);
  for (const member of members) etcd.restart(member);
  await etcd.healthy();
  await pause(500);
}

async function silent(etcd: Etcd): Promise<void> {
  const { process } = await followerOf(etcd);
  process.kill("SIGSTOP");
  await pause(4_000);
  process.kill("SIGCONT");
  await pause(500);
}

async function cutOff({ network }: EtcdApart): Promise<void> {
  await pause(500);
  await network.link(1, "down");
  await pause(5_000);
  await network.link(1, "up");
  await pause(1_500);
}

/** Compacts and defragments the whole of it. */
export async function tidy(etcd: Etcd): Promise<void> {
  const [member] = JSON.parse(await etcd.ctl("endpoint", "status", "--write-out=json"));
  const revision = String(member.Status.header.revision);
  await etcd.ctl("compact", "--physical", revision).catch((error) => {
    // Nothing was written since the last time.
    if (!/has been compacted/.test(error.message)) throw error;
  });
  await etcd.ctl("defrag");
}

async function tidied(etcd: Etcd): Promise<void> {
  for (let n = 0; n < 3; n++) {
    await pause(500);
    await tidy(etcd);
  }
  await pause(500);
}

/** Fills a member's disk for a while: it stops, or is slow, and is started again. */
export async function fullDisk(etcd: Etcd, whileFull = () => pause(4_000)): Promise<void> {
  const full = etcd.members[SMALL_DISK]!;
  const filler = `${full.folder}/filler`;
  const { code } = await run("dd", ["if=/dev/zero", `of=${filler}`, "bs=1M"]);
  if (code === 0) throw new Error("There is room left on the disk that was to be full");
  await whileFull();
  Deno.removeSync(filler);
  await etcd.kill(full).catch(() => {});
  etcd.restart(full);
  await etcd.healthy();
}
