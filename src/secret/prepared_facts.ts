import { rfc3339 } from "../core/clock.ts";
import type { Installation } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { hasBeenOut } from "./activation_dates.ts";
import type { NewSecret } from "./backend.ts";

/** The prepared version, as `--json` and the status page have it; `null` if there is none. */
export function preparedFacts(installation: Installation) {
  const row = installation.versions.prepared();
  if (row === undefined) return null;
  const { version, kid, alg } = row;
  const is_ready = hasBeenOut(row, installation.now());
  return { version, kid, alg, ...datesOf(row), is_ready };
}

/** What {@linkcode preparedFacts} returns. */
export type PreparedFacts = ReturnType<typeof preparedFacts>;

/** Since when verifiers can get a version, and from when it can be activated (RFC 3339, or `null`). */
export function datesOf({ published_at, activatable_at }: Version) {
  const time = (at: number | null) => at === null ? null : rfc3339(at);
  return { published_at: time(published_at), activatable_at: time(activatable_at) };
}

/** How a prepared version is to be used. */
export type PreparedUse = Pick<Version, "version" | "alg" | "key_form" | "bytes" | "encoding">;

/** Whether a prepared version has the use and shape that are wanted now, as far as anything is. */
export function isAsWanted(
  prepared: PreparedUse,
  { alg, keyForm, bytes, encoding, bits }: NewSecret,
): boolean {
  const is = (wanted: unknown, value: unknown) => wanted === undefined || wanted === value;
  const form = prepared.key_form === "hex" ? "raw" : prepared.key_form;
  return is(alg, prepared.alg) && is(keyForm, form) && is(bytes, prepared.bytes) &&
    is(encoding, prepared.encoding) && is(bits, prepared.bytes * 8);
}
