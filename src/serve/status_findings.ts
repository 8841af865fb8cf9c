import { type Finding, type FindingCode, FINDINGS } from "../doctor/findings.ts";

/** What is wrong, or worth knowing, for the status page. Names no path, no user of rekey, no message of another program. */
export interface StatusFinding {
  /** A code of `doctor`, or of the error that keeps the secret from being read. */
  readonly code: string;
  readonly level: "wrong" | "note";
  /** One plain sentence without a final period. */
  readonly text: string;
}

/** The present state, as far as it may be wrong. */
interface PresentState {
  /** The error code while the secret cannot be read. */
  readonly trouble: string | undefined;
  readonly version: number;
  readonly rotationDue: boolean;
  /** Names of programs that get keys and have not followed. */
  readonly deliveriesBehind: readonly string[];
  /** Programs that `exec` started with a version that has ended, or is about to. */
  readonly holders: readonly { readonly program: string; readonly state: "ended" | "grace" }[];
  /** Names of servers of the fleet that have not followed. */
  readonly serversBehind: readonly string[];
  /** Where the audit log is sent, and does not arrive. */
  readonly sinksFailing: readonly string[];
  /** End of the certificate in use, milliseconds since the epoch. */
  readonly certificateEnds: number | undefined;
  readonly now: number;
}

const CERTIFICATE_SOON_MS = 14 * 86_400_000;

/** Everything that is wrong or worth knowing, the worst first. @param findings of `doctor`, which may be a minute old. */
export function statusFindings(state: PresentState, findings: readonly Finding[]): StatusFinding[] {
  const present = [...ofSecret(state), ...ofPrograms(state), ...ofCertificate(state)];
  const doctors = findings.filter(({ code }) => !PRESENT.includes(code)).map(ofDoctor);
  // Several files may have the same sentence here.
  const all = [...present, ...doctors].filter(({ text }, index, those) =>
    those.findIndex((other) => other.text === text) === index
  );
  return [...all.filter(isWrong), ...all.filter((one) => !isWrong(one))];
}

/** Whether something needs the operator. */
export function isWrong({ level }: StatusFinding): boolean {
  return level === "wrong";
}

// What the state itself tells: a finding may be older.
const PRESENT: readonly FindingCode[] = [
  "rotation_due",
  "delivery_behind",
  "exec_ended",
  "exec_grace",
  "fleet_lagging",
  "audit_unsent",
];

function ofSecret({ trouble, version, rotationDue }: PresentState): StatusFinding[] {
  return [
    ...trouble === undefined ? [] : [wrong(trouble, "The secret cannot be read now")],
    ...rotationDue ? [wrong("rotation_due", `Version ${version} is due to be rotated`)] : [],
  ];
}

function ofPrograms(state: PresentState): StatusFinding[] {
  const { deliveriesBehind, holders, serversBehind, sinksFailing } = state;
  return [
    ...deliveriesBehind.map((name) =>
      wrong("delivery_behind", `The program of ${name} has not followed`)
    ),
    ...serversBehind.map((name) =>
      wrong("fleet_lagging", `The server of ${name} has not followed`)
    ),
    ...sinksFailing.map((sink) => wrong("audit_unsent", `The audit log does not reach ${sink}`)),
    ...holders.map(({ program, state }) =>
      state === "ended"
        ? wrong("exec_ended", `${program} still holds a version that has ended: restart it`)
        : note("exec_grace", `${program} still holds a version that ends soon: restart it`)
    ),
  ];
}

function ofCertificate({ certificateEnds, now }: PresentState): StatusFinding[] {
  if (certificateEnds === undefined || certificateEnds - now > CERTIFICATE_SOON_MS) return [];
  return certificateEnds <= now
    ? [wrong("certificate_expired", "The server's certificate has expired")]
    : [note("certificate_expires", "The server's certificate expires within 14 days")];
}

const wrong = (code: string, text: string): StatusFinding => ({ code, level: "wrong", text });
const note = (code: string, text: string): StatusFinding => ({ code, level: "note", text });

// Other sentences name a path, an address or what another program said.
const OWN_SENTENCES: readonly FindingCode[] = [
  "clock_behind",
  "standby_forgotten",
  "sessions_ended",
  "fallback_used",
  "etcd_single",
  "etcd_split",
];

const IN_OTHER_WORDS: Partial<Record<FindingCode, string>> = {
  way_unsafe: "Other users could replace a folder above rekey's files",
  file_owner: "A file of rekey belongs to another user",
  file_mode: "A file of rekey has the wrong mode",
  disk_full: "The disk is full: a rotation would be refused",
  disk_low: "The disk has less than 64 MiB left",
  secret_revived: "A restoration has brought back a secret that was rotated away",
  delivery_on_disk: "The file of a delivery is on a disk, and so in its backups",
  schedule_older: "The schedule that rotates is older than the first delivery",
  etcd_unavailable: "etcd does not answer",
  etcd_member_down: "A member of etcd does not answer",
  etcd_alarm: "A member of etcd reports an alarm",
  fleet_behind: "etcd holds something older than this machine has seen",
  fleet_foreign: "etcd holds another fleet's secret",
};

function ofDoctor({ code, what }: Finding): StatusFinding {
  const text = OWN_SENTENCES.includes(code) ? what : IN_OTHER_WORDS[code];
  return { code, level: FINDINGS[code].level, text: text ?? "`rekey doctor` says what it is" };
}
