import { keyText } from "../core/algorithms.ts";
import { placeName } from "../core/location.ts";
import { STANDARD_SHAPE } from "../core/secret.ts";
import { STANDARD_POLICY, type TokenPolicy } from "../jwt/policy.ts";
import { isAhead } from "../secret/age.ts";
import type { StaleHolder } from "../secret/holders.ts";
import { sinkText } from "./audit_stream.ts";
import { policyLine } from "./policy_line.ts";
import type { StatusFacts } from "./commands/status.ts";
import { behindText, deliveryText } from "./deliveries_report.ts";
import {
  countedSessions,
  describeSeconds,
  fromNow,
  printable,
  table,
  tokenKidText,
} from "./format.ts";
import { holderText } from "./stale_processes.ts";

/**
 * One line with performance data, as the Monitoring Plugins' guidelines have it: `U` is a value that is not known. The
 * exit status is our own.
 */
export function monitored(facts: StatusFacts, maxAge: number): string {
  const age = facts.age_seconds as number;
  const when = facts.rotation_due ? "a rotation is due" : `due in ${describeSeconds(maxAge - age)}`;
  const copied = facts.location === "keyring" && facts.read_from !== facts.location;
  const copy = copied ? ", read from its sealed copy" : "";
  const ended = facts.stale_processes.filter(({ state }) => state === "ended").length;
  const held = ended === 0
    ? ""
    : `, ${ended} process${ended === 1 ? "" : "es"} with an ended version`;
  const old = facts.created_in_future
    ? `was made in the future (${facts.created_at}; the clock was ahead)`
    : `is ${describeSeconds(age)} old`;
  return `REKEY ${
    facts.rotation_due ? "CRITICAL" : "OK"
  } - ${facts.app} version ${facts.version} ` +
    `in ${placeName(facts.location)}${copy} ${old}, ${when}${held}${
      behindText(facts.deliveries)
    } | ` +
    `age=${facts.created_in_future ? "U" : `${age}s`};;${maxAge} sessions=${facts.sessions_active}`;
}

type TableRows = (readonly string[])[];

/** The state as a table for people. @param more rows about the secret, and those at the end. */
export function human(
  facts: StatusFacts,
  policy: TokenPolicy,
  stale: readonly StaleHolder[],
  more: { readonly first?: TableRows; readonly last?: TableRows } = {},
): string[] {
  return table([
    ["app", String(facts.app)],
    ["version", `${facts.version} (kid ${facts.kid})`],
    ["location", String(facts.location)],
    ...more.first ?? [],
    ...ageRows(facts),
    ["tokens", keyText(facts.alg, facts.key_form, facts.bits) + tokenKidText(facts)],
    ...shapeRows(facts),
    ...policyRows(policy),
    ...graceRows(facts),
    ...preparedRows(facts),
    ["KEK", kekText(facts)],
    ["active sessions", countedSessions(facts.sessions_active as number)],
    ["fallback rate", rateText(facts.fallback_rate as number | null)],
    ["last rotation", facts.last_rotation === null ? "never" : withAge(facts.last_rotation)],
    ...stale.map((holder) => ["process", holderText(holder)]),
    ...facts.deliveries.map((one) => ["delivery", printable(deliveryText(one))]),
    ...facts.audit_sinks.map((one) => ["audit sink", printable(sinkText(one))]),
    ...more.last ?? [],
  ]);
}

function ageRows(facts: StatusFacts): TableRows {
  const age = facts.created_in_future
    ? `not known: made ${withAge(String(facts.created_at))}`
    : `${describeSeconds(facts.age_seconds as number)}, since ${facts.created_at}`;
  const { rotation_announced: announced } = facts;
  return [
    ["age", age],
    ["rotation due", facts.rotation_due ? "yes" : "no"],
    ...announced === null ? [] : [["rotation announced", `for ${withRelative(announced)}`]],
  ];
}

function policyRows(policy: TokenPolicy): TableRows {
  const text = policyLine(policy);
  return text === policyLine(STANDARD_POLICY) ? [] : [["policy", printable(text)]];
}

function graceRows({ alg: present, grace }: StatusFacts): TableRows {
  return grace.map(({ version, alg, until }) => {
    const other = alg === present ? "" : ` (${alg})`;
    return ["grace", `version ${version}${other} verifies until ${withRelative(until)}`];
  });
}

function kekText({ kek: { id, source, generated, remembered, error } }: StatusFacts): string {
  if (error !== null) return `not available: ${error}`;
  const made = " (made by rekey: protects copies of the database, not this account)";
  return `${id} from ${source}${generated ? made : remembered ? " (remembered)" : ""}`;
}

function rateText(rate: number | null): string {
  return rate === null ? "none retrieved yet" : `${(rate * 100).toFixed(1)} %`;
}

/** A time with its distance from now. */
function withRelative(time: string): string {
  return `${time} (${fromNow(Date.parse(time), Date.now())})`;
}

/** A past time with its age; a future one means that the clock was ahead. */
function withAge(time: string): string {
  const isWrong = isAhead(Date.parse(time), Date.now());
  return isWrong ? `${time} (in the future: the clock was ahead)` : withRelative(time);
}

// Only where they are not the usual ones.
function shapeRows({ bytes, encoding }: StatusFacts): TableRows {
  if (bytes === null) return [];
  const isUsual = bytes === STANDARD_SHAPE.bytes && encoding === STANDARD_SHAPE.encoding;
  return isUsual ? [] : [["value", `${bytes} bytes, as ${encoding}`]];
}

function preparedRows({ prepared }: StatusFacts): TableRows {
  if (prepared === null) return [];
  const { version, kid, alg, published_at, activatable_at, is_ready } = prepared;
  const when = is_ready ? "can be activated" : `from ${withRelative(activatable_at!)} on`;
  return [
    ["prepared", `version ${version} (${alg}, kid ${kid}), since ${withAge(published_at!)}`],
    ["activation", when],
  ];
}
