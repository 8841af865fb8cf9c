import { type ErrorCode, isRekeyError } from "../../core/errors.ts";
import { retrieve } from "../../secret/retrieval.ts";
import { sealedSlot } from "../../core/secret_store.ts";
import type { Version } from "../../store/versions.ts";
import type { Finding, FindingCode } from "../finding.ts";
import { type OpenDoctorContext, rekey, WITHOUT_LOGGING_OUT } from "../context.ts";

// Of anything else there is a finding already: the keyring's, the KEK's, the database's.
const OF_VALUES: readonly ErrorCode[] = ["secret_missing", "secret_damaged", "secret_mismatch"];

/**
 * Whether every value that tokens are verified with is where it belongs, and what its row says.
 *
 * @returns `undefined` when one could not be read, and nothing is known to be wrong with the others.
 */
export async function valuesCheck(context: OpenDoctorContext): Promise<Finding[] | undefined> {
  const { versions } = context.installation;
  const found: (Finding[] | undefined)[] = [];
  for (const version of [versions.current()!, ...versions.previous()]) {
    found.push(await valueOf(context, version), await mirrorOf(context, version));
  }
  const findings = found.flatMap((some) => some ?? []);
  return findings.length === 0 && found.includes(undefined) ? undefined : findings;
}

async function valueOf(
  context: OpenDoctorContext,
  version: Version,
): Promise<Finding[] | undefined> {
  try {
    await retrieve(context.installation, version, () => {});
    return [];
  } catch (error) {
    if (!isRekeyError(error)) throw error;
    if (!OF_VALUES.includes(error.code)) return undefined;
    const current = version.state === "current";
    return [{
      code: error.code as FindingCode,
      what: error.message,
      why: current
        ? "No token can be verified or issued. A backup --with-secret brings the value back; " +
          "a rotation does not need it, and ends every session"
        : `Tokens of version ${version.version} are refused although its grace window is open`,
      command: current
        ? rekey(context, "rotate --force --reason secret-lost")
        : rekey(context, "revoke"),
    }];
  }
}

async function mirrorOf(
  context: OpenDoctorContext,
  version: Version,
): Promise<Finding[] | undefined> {
  const { sealed } = context.installation;
  if (version.location !== "keyring" || sealed.sealedValue(sealedSlot(version)) === undefined) {
    return [];
  }
  try {
    await sealed.read(sealedSlot(version));
    return [];
  } catch (error) {
    if (!isRekeyError(error)) throw error;
    if (!OF_VALUES.includes(error.code)) return undefined;
    return [{
      code: "mirror_damaged",
      what: `The sealed copy of version ${version.version} cannot be opened`,
      why: "It would not serve if the keyring were locked; the value in the keyring does",
      command: rekey(context, WITHOUT_LOGGING_OUT),
    }];
  }
}
