import { isRekeyError } from "../../core/errors.ts";
import type { MemberStatus } from "../../etcd/client.ts";
import { fleetHealth, lagging } from "../../fleet/health.ts";
import type { Member } from "../../fleet/members.ts";
import { knownFleet, mustGoOn, readSnapshot } from "../../fleet/snapshot.ts";
import type { Finding, FindingCode } from "../finding.ts";
import { type OpenPatient, rekey } from "../patient.ts";

/** Whether etcd answers, and the servers that share the secret with this machine follow; nothing when none do. */
export async function fleetCheck(patient: OpenPatient): Promise<Finding[]> {
  const { installation } = patient;
  if (installation.versions.current()!.location !== "etcd") return [];
  try {
    const snapshot = await readSnapshot(installation, installation.shared());
    mustGoOn(knownFleet(installation.meta), installation.versions.current(), snapshot);
    const health = await fleetHealth(installation);
    return [
      ...health.etcd.flatMap(ofMember),
      ...health.etcd.length === 1 ? [single()] : [],
      // A server follows within milliseconds: one that has just been overtaken is asked for once more.
      ...lagging(health).length === 0 ? [] : lagging(await fleetHealth(installation)).map(behind),
    ];
  } catch (error) {
    if (!isRekeyError(error)) throw error;
    return OF_FLEET.includes(error.code) ? [refusal(patient, error.code, error)] : [];
  }
}

// Of anything else there is a finding already: the KEK's.
const OF_FLEET: readonly string[] = [
  "etcd_unconfigured",
  "etcd_unavailable",
  "etcd_denied",
  "etcd_failed",
  "fleet_behind",
  "fleet_foreign",
  "secret_damaged",
];

function refusal(
  patient: OpenPatient,
  code: string,
  { message, hint }: { message: string; hint: string | undefined },
): Finding {
  const goesOn = code === "fleet_behind";
  return {
    code: code as FindingCode,
    what: message,
    why: `${hint}. Until then nothing is accepted here, and nothing is lost`,
    command: goesOn ? rekey(patient, "rotate --force") : "etcdctl endpoint health --cluster",
  };
}

function ofMember({ endpoint, trouble, errors = [] }: MemberStatus): Finding[] {
  if (trouble !== undefined) {
    return [{
      code: "etcd_member_down",
      what: `The member of etcd at ${endpoint} does not serve: ${trouble}`,
      why: "Rotations and servers go on for as long as most members do",
      command: "etcdctl endpoint health --cluster",
    }];
  }
  return errors.map((error) => ({
    code: "etcd_alarm",
    what: `The member of etcd at ${endpoint} reports ${plain(error)}`,
    why: "It may take no writes: then no rotation can be made, and no server stays on the list",
    command: "etcdctl alarm list",
  }));
}

function single(): Finding {
  return {
    code: "etcd_single",
    what: "One member of etcd is named only",
    why:
      "When it is away, nothing is accepted anywhere; name all members, of which there should be three",
    command: null,
  };
}

function behind({ actor, id, version }: Member): Finding {
  return {
    code: "fleet_lagging",
    what: `The server of ${plain(actor)} (${plain(id)}) still goes by version ${version}`,
    why:
      "It hears of etcd and does not follow, or was cut off and stops accepting tokens by itself",
    command: null,
  };
}

function plain(text: string): string {
  return text.replace(/[^\w@.:, -]/g, "?").slice(0, 100);
}
