import { ENDS, EVENTS } from "../audit/events.ts";
import { isHmac, isRsa, keyText, modulusBits } from "../core/algorithms.ts";
import { changedPolicy, type TokenPolicy } from "../jwt/policy.ts";
import { writePolicy } from "../store/sqlite/meta.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import type { StoreChoice } from "../store/environment.ts";
import type { Installation } from "../store/installation.ts";
import type { Backend, HmacUsage, NewSecret, PolicyChange } from "./backend.ts";
import { endGrace, recover } from "./recover.ts";

/** Ends every grace window now. @returns the versions that no longer verify. */
export async function revoke(installation: Installation): Promise<Version[]> {
  const ended = installation.versions.previous();
  await endGrace(installation, ended, ENDS.revoked);
  await recover(installation, "held");
  return ended;
}

/**
 * Changes the token policy; running servers apply it from their next request. Call it under the lock, after recovery.
 *
 * @param described the new policy in words, for the audit log.
 * @returns the new policy.
 */
export async function changePolicy(
  installation: Installation,
  change: PolicyChange,
  described: (policy: TokenPolicy) => string,
): Promise<TokenPolicy> {
  const audit = await installation.audit();
  return installation.database.transaction(() => {
    const policy = afterChange(installation, change);
    if (writePolicy(installation.meta, policy)) {
      audit.append({ event: EVENTS.policyChanged, reason: described(policy) });
    }
    return policy;
  });
}

// A damaged policy may be replaced as a whole.
function afterChange(installation: Installation, change: PolicyChange): TokenPolicy {
  const after = change(() => installation.policy);
  try {
    return changedPolicy(installation.policy, after, installation.now());
  } catch (error) {
    if (isRekeyError(error, "database_damaged")) return after;
    throw error;
  }
}

/**
 * Sets algorithm and key form of an adopted secret, which the older application did not record. A generated secret keeps
 * its own.
 *
 * @throws {RekeyError} `failed` when they cannot be changed.
 */
export async function settleUsage(
  installation: Installation,
  backend: Backend,
  version: Version,
  wanted: NewSecret,
): Promise<void> {
  const { alg = version.alg } = wanted;
  const isBytes = wanted.keyForm === "raw" && version.key_form === "hex";
  const keyForm = isBytes ? "hex" : wanted.keyForm ?? version.key_form;
  // Of another kind nothing of the size would fit.
  if (isHmac(alg) === isHmac(version.alg)) mustHaveSize(version, wanted);
  if (alg === version.alg && keyForm === version.key_form) return;
  await backend.setUsage(installation, version, { alg, keyForm });
}

/**
 * Where a secret is in the database for want of a keyring: from now on it is there by choice, if that is wanted.
 *
 * @returns whether that has changed.
 */
export async function settlePlace(
  installation: Installation,
  version: Version,
  wanted: StoreChoice | undefined,
): Promise<boolean> {
  const { database, meta, store } = installation;
  if (wanted !== "database" || version.location !== wanted || store !== "auto") return false;
  const audit = await installation.audit();
  database.transaction(() => {
    meta.set("store", wanted);
    audit.append({
      ...{ event: EVENTS.moved, version: version.version, kid: version.kid, location: wanted },
      reason: "it was there for want of a keyring, and stays there by choice",
    });
  });
  return true;
}

function mustHaveSize(version: Version, { bits, bytes, encoding }: NewSecret): void {
  const asks = (wanted: unknown, own: unknown) => wanted !== undefined && wanted !== own;
  const { alg } = version;
  const what = version.origin === "adopted"
    ? `it is as the application made it: ${textOf(version)}`
    : `it is ${textOf(version)}`;
  if (asks(bits, modulusBits(alg, version.bytes))) {
    const next = isRsa(alg)
      ? `rekey rotate --bits ${bits}`
      : `rekey rotate --alg RS256 --bits ${bits}`;
    throw usageIsFixed(what, `\`${next}\` makes an RSA key of that size the next one`);
  }
  if (!isHmac(alg) && (bytes !== undefined || encoding !== undefined)) {
    throw usageIsFixed(what, "--bytes and --as are for HMAC secrets: leave them out");
  }
  if (!asks(bytes, version.bytes) && !asks(encoding, version.encoding)) return;
  throw usageIsFixed(
    version.origin === "adopted" ? what : `it has ${version.bytes} bytes, as ${version.encoding}`,
    "`rekey rotate --bytes --as` gives the next one another size or encoding",
  );
}

/** Changes algorithm and key form of a local secret, if it was adopted. */
export function setUsage(
  { database, versions, meta }: Installation,
  version: Version,
  { alg, keyForm }: Required<HmacUsage>,
): void {
  if (version.origin !== "adopted" || !isHmac(version.alg) || !isHmac(alg!)) {
    throw usageIsFixed(
      `it is ${textOf(version)}`,
      isHmac(version.alg)
        ? "Its tokens depend on it; `rekey rotate --alg --key-form` gives the next one another use"
        : "Its tokens depend on it; `rekey rotate --alg` gives the next one another use",
    );
  }
  database.transaction(() => {
    versions.settle(version, alg!, keyForm!);
    meta.set("alg", alg!);
    meta.set("key_form", keyForm!);
  });
}

/** The error for changing algorithm or key form of a shared secret. */
export function usageIsShared(version: Version): RekeyError {
  return usageIsFixed(
    `machines share it as ${textOf(version)}`,
    "`rekey store move database` makes it this machine's own first",
  );
}

function textOf({ alg, key_form, bytes }: Version): string {
  return keyText(alg, key_form, modulusBits(alg, bytes));
}

function usageIsFixed(why: string, hint: string): RekeyError {
  return new RekeyError("failed", `Cannot change the secret's use: ${why}`, { hint });
}
