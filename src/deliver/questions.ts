import { isHmac } from "../core/algorithms.ts";
import { RekeyError } from "../core/errors.ts";
import { type Delivery, probeWay, reloadWay } from "./delivery.ts";
import type { DeliveryRound } from "./delivery_round.ts";
import { type DeliveredKey, verifyingKeys } from "./key_set.ts";
import { isDown } from "./listening.ts";
import { askProgram, type TokenKind } from "./probe.ts";
import type { Surroundings } from "./reload.ts";

// How long it is asked all the same, in milliseconds: it may be starting.
const LOST_MS = 1_000;

/** How long a program may take to follow, in milliseconds, if that is less than usual. To be asked before its files change. */
export async function limitFor(
  delivery: Delivery,
  data: Surroundings["data"],
  round: DeliveryRound,
): Promise<number | undefined> {
  return await isLost(delivery, data, round) ? LOST_MS : undefined;
}

/** Whether a program is down, and nothing that is done here starts it. */
async function isLost(
  delivery: Delivery,
  data: Surroundings["data"],
  round: DeliveryRound,
): Promise<boolean> {
  const way = probeWay(delivery);
  // A reload may start it.
  if (way === undefined || reloadWay(delivery) !== undefined) return false;
  if (round.silent.includes(delivery.name)) return true;
  return round.isBeforeCommit && await isDown(way, data);
}

/** What is known of a program before it is asked. */
interface Known {
  /** Kids that it may still hold. */
  readonly leaving: readonly string[];
  /** How long it may take, in milliseconds; default: as long as usual. */
  readonly limitMs: number | undefined;
}

/**
 * Asks a program about the keys that it should hold, those that it should no longer hold, and forged ones.
 *
 * @returns something that could not be found out.
 * @throws {RekeyError} `failed` when it does not answer as it should.
 */
export async function askAbout(
  delivery: Delivery,
  { leaving, limitMs }: Known,
  around: Surroundings,
  round: DeliveryRound,
): Promise<string | undefined> {
  const way = probeWay(delivery);
  if (way === undefined) return undefined;
  const probing = { ...round, claims: delivery.preset.claims, limitMs };
  const { role } = delivery.settings;
  const ended = role === "signer" ? [] : round.before.filter(({ kid }) => leaving.includes(kid));
  const failures = await Promise.all(
    questionsAbout(around.keys, ended).map(([key, asked]) =>
      askProgram(way, key, asked, around, probing)
    ),
  );
  const failure = failures.find((one) => one !== undefined);
  if (failure !== undefined) throw new RekeyError("failed", failure);
  return role === "verifier" && ended.length < leaving.length
    ? "it could not be asked whether it refuses the ended key, whose value is destroyed"
    : undefined;
}

function questionsAbout(
  keys: Surroundings["keys"],
  ended: readonly DeliveredKey[],
): (readonly [DeliveredKey, TokenKind])[] {
  return [
    ...verifyingKeys(keys).map((key) => [key, "accepted"] as const),
    ...ended.map((key) => [key, "ended"] as const),
    // Last, since its failure tells least where a program is down.
    [keys.current, "forged"],
    ...isHmac(keys.current.alg) ? [] : [[keys.current, "confused"] as const],
  ];
}
