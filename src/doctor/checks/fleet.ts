import { asRefusal, isRekeyError } from "../../core/errors.ts";
import { isSplit, type MemberStatus } from "../../etcd/client.ts";
import { deliveriesBehind } from "../../cluster/member_names.ts";
import { findShared } from "../../cluster/catch_up.ts";
import { fleetHealth, lagging, untilFollowed } from "../../cluster/members.ts";
import type { Member } from "../../secret/backend.ts";
import { knownFleet } from "../../store/sqlite/meta.ts";
import { keysOf, mustGoOn, type Snapshot } from "../../cluster/snapshot.ts";
import type { Installation } from "../../store/installation.ts";
import { countedHere } from "../../cluster/replica.ts";
import type { SharedVersion } from "../../cluster/state.ts";
import { backendOf } from "../../cluster/backend.ts";
import { sealedSlot } from "../../core/location.ts";
import {
  type Finding,
  type FindingCode,
  NOT_USED,
  type NotUsed,
  type OpenDoctorContext,
  rekey,
  shellWord,
} from "../findings.ts";

/** Whether etcd answers, and the servers that share the secret with this machine follow; nothing when none do. */
export async function fleetCheck(
  context: OpenDoctorContext,
): Promise<Finding[] | NotUsed | undefined> {
  const { installation, begunAt } = context;
  if (!backendOf(installation).isShared) return NOT_USED;
  // The KEK check reports this.
  if (isRekeyError(await installation.kek().catch(asRefusal))) return undefined;
  try {
    const snapshot = await soundSnapshot(installation);
    const health = await fleetHealth(installation);
    return [
      ...lost(context, snapshot),
      ...isSplit(health.etcd) ? [split()] : [],
      ...health.etcd.flatMap(ofMember),
      ...health.etcd.length === 1 ? [single()] : [],
      // A server follows within milliseconds: one that has just been overtaken is waited for.
      ...lagging(health).length === 0 ? [] : behindIn(
        health.change,
        await untilFollowed(installation, health.change, begunAt + FOLLOWS_MS - performance.now()),
      ),
    ];
  } catch (error) {
    if (!isRekeyError(error)) throw error;
    // A REKEY_ETCD_* variable is invalid.
    const code = error.code === "usage" ? "etcd_unconfigured" : error.code;
    return OF_FLEET.includes(code) ? [await refusal(context, code, error)] : [];
  }
}

const FOLLOWS_MS = 1_000;

/** What etcd holds. @throws {RekeyError} when this machine cannot follow it: `etcd_…`, `fleet_…`, `kek_wrong`, `secret_damaged`. */
async function soundSnapshot(installation: Installation): Promise<Snapshot> {
  for (;;) {
    const { known, own, snapshot } = await findShared(installation);
    try {
      mustGoOn(known, own, snapshot);
      countedHere(installation, snapshot!.state);
      return snapshot!;
    } catch (error) {
      // Another process on this machine may have followed something newer meanwhile.
      const now = knownFleet(installation.meta);
      if (!isRekeyError(error) || now?.change === known?.change) throw error;
    }
  }
}

// Other checks report other codes.
const OF_FLEET: readonly string[] = [
  "etcd_unconfigured",
  "etcd_unavailable",
  "etcd_denied",
  "etcd_failed",
  "fleet_behind",
  "fleet_foreign",
  "secret_damaged",
  "kek_wrong",
];

async function refusal(
  context: OpenDoctorContext,
  code: string,
  { message, hint }: { message: string; hint: string | undefined },
): Promise<Finding> {
  const wrong = code === "etcd_unavailable" ? await whatEachSays(context) : hint;
  return {
    code: code as FindingCode,
    what: message,
    why: code === "secret_damaged"
      ? `Nothing is accepted here; once it is gone, ${rekey(context, "store move etcd")} puts it ` +
        "back on the machine with the highest version"
      : `${wrong}. Until then nothing is accepted here, and nothing is lost`,
    command: await commandFor(context, code),
  };
}

async function whatEachSays({ installation }: OpenDoctorContext): Promise<string> {
  const { client } = await installation.shared();
  const said = (await client.status()).map(({ endpoint, trouble = "it answers" }) =>
    `${endpoint}: ${trouble}`
  );
  return `Most members must answer. ${said.join("; ")}`;
}

/** A command of etcdctl that asks these members. By itself it asks one on this machine; a flag beside the variable fails. */
function etcdctl(endpoints: readonly string[], words: string): string {
  return `ETCDCTL_ENDPOINTS=${shellWord(endpoints.join(","))} etcdctl ${words}`;
}

async function commandFor(context: OpenDoctorContext, code: string): Promise<string | null> {
  const { installation } = context;
  if (code === "fleet_behind") return rekey(context, "rotate --force");
  // etcd works; the settings of this machine are wrong.
  if (["etcd_unconfigured", "fleet_foreign", "kek_wrong"].includes(code)) return null;
  const shared = await installation.shared();
  const { endpoints } = shared.client.settings;
  if (code !== "secret_damaged") return etcdctl(endpoints, "endpoint health");
  const { state } = keysOf(shared, installation.environment.app.name);
  return etcdctl(endpoints, `del ${shellWord(state)}`);
}

/** Values that etcd has lost and this machine still has. The values check reports values that both lack. */
function lost(context: OpenDoctorContext, { state, values }: Snapshot): Finding[] {
  const { sealed } = context.installation;
  const isLost = (row: SharedVersion) =>
    !values.has(row.kid) && sealed.sealedValue(sealedSlot(row)) !== undefined;
  return state.versions.filter(isLost).map(({ version }) => ({
    code: "secret_missing",
    what: `etcd lacks the value of version ${version}, which this machine has`,
    why: "Machines that do not have it can neither join nor follow; the next change made here " +
      "puts it back",
    command: rekey(context, "store move etcd"),
  }));
}

function ofMember({ endpoint, trouble, errors = [] }: MemberStatus): Finding[] {
  if (trouble !== undefined) {
    return [{
      code: "etcd_member_down",
      what: `The member of etcd at ${endpoint} does not serve: ${trouble}`,
      why: "Rotations and servers go on for as long as most members do",
      command: etcdctl([endpoint], "endpoint health"),
    }];
  }
  return errors.map((error) => ({
    code: "etcd_alarm",
    what: `The member of etcd at ${endpoint} reports ${plain(error)}`,
    why: "It may take no writes: then no rotation can be made, and no server stays on the list",
    command: etcdctl([endpoint], "alarm list"),
  }));
}

function split(): Finding {
  return {
    code: "etcd_split",
    what: "The named etcd members belong to different clusters",
    why: "Each has a secret of its own. A member that was started before it was configured, as " +
      "Debian's package does, stays alone until its data folder is emptied",
    command: "etcdctl member list",
  };
}

function single(): Finding {
  return {
    code: "etcd_single",
    what: "Only one etcd member is named",
    why:
      "When it is away, nothing is accepted anywhere; name all members, of which there should be three",
    command: null,
  };
}

function behindIn(change: number, members: readonly Member[]): Finding[] {
  return members.map((member) =>
    member.change < change ? behind(member) : withProgramsBehind(member)
  );
}

function withProgramsBehind(member: Member): Finding {
  const { actor, id } = member;
  return {
    code: "fleet_lagging",
    what: `The server of ${plain(actor)} (${plain(id)}) follows with ${
      deliveriesBehind(member)
    } behind`,
    why: "Programs there may refuse valid tokens, or accept those of a key that has ended",
    command: "# on that machine: rekey deliver sync",
  };
}

function behind({ actor, id, version }: Member): Finding {
  return {
    code: "fleet_lagging",
    what: `The server of ${plain(actor)} (${plain(id)}) still uses version ${version}`,
    why:
      "It hears of etcd and does not follow, or was cut off and stops accepting tokens by itself",
    command: null,
  };
}

function plain(text: string): string {
  return text.replace(/[^\w@.:, -]/g, "?").slice(0, 100);
}
