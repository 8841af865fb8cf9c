import { type ErrorCode, isRekeyError, type RekeyError } from "../../core/errors.ts";
import { isOpenAt } from "../../secret/grace.ts";
import { retrieve } from "../../secret/retrieve.ts";
import { sealedSlot } from "../../core/location.ts";
import { isPrepared, type Version } from "../../store/sqlite/versions.ts";
import {
  type Finding,
  type FindingCode,
  type OpenDoctorContext,
  rekey,
  WITHOUT_LOGGING_OUT,
} from "../findings.ts";
import { exposureOf, makePrivate } from "../../files/private_files.ts";
import { isBehindFolder } from "../../files/behind_folder.ts";
import { exposedKey } from "../../store/sealed/exposed_key.ts";
import { codeOf } from "../../files/files.ts";
import type { KekSources } from "../../store/sealed/kek_sources.ts";

// The keyring, KEK and database checks report other codes.
const OF_VALUES: readonly ErrorCode[] = ["secret_missing", "secret_damaged", "secret_mismatch"];

/**
 * Whether every value that verifies tokens is in its location and matches its row.
 *
 * @returns `undefined` when a value could not be read and no other value has a problem.
 */
export async function valuesCheck(context: OpenDoctorContext): Promise<Finding[] | undefined> {
  const { installation } = context;
  const found: (Finding[] | undefined)[] = [];
  // Once its grace window is over, the next command destroys a value.
  const now = installation.now();
  const verifies = (row: Version) => row.state !== "previous" || isOpenAt(row, now);
  for (const version of installation.versions.held().filter(verifies)) {
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
    if (isPrepared(version)) return [lostStandby(context, version, error)];
    return [lostValue(context, version, error)];
  }
}

function lostValue(
  context: OpenDoctorContext,
  { version, state, location }: Version,
  { code, message }: RekeyError,
): Finding {
  const finding = { code: code as FindingCode, what: message };
  if (state !== "current") {
    const why = `Tokens of version ${version} are refused although its grace window is open`;
    return { ...finding, why, command: rekey(context, "revoke") };
  }
  const rotation = rekey(context, "rotate --force --reason secret-lost");
  const lost = "No token can be verified or issued";
  // Every backup has what the database has, sealed.
  if (location === "database") {
    return {
      ...finding,
      why:
        `${lost}. A backup of this version brings the value back, a plain one too. Without one, ` +
        `\`${rotation}\` does not need the value, and ends every session`,
      command: rekey(context, "restore BACKUP --force"),
    };
  }
  return {
    ...finding,
    why:
      `${lost}. A backup --with-secret brings the value back; a rotation does not need it, and ` +
      "ends every session",
    command: rotation,
  };
}

function lostStandby(
  context: OpenDoctorContext,
  { version }: Version,
  { code, message }: RekeyError,
): Finding {
  return {
    code: code as FindingCode,
    what: message,
    why: `Version ${version} is prepared and signs nothing yet, so no token depends on it; it ` +
      "cannot be activated, and another one can be prepared",
    command: rekey(context, "rotate --prepare"),
  };
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

/** Whether the key-encryption key is available, correct, and readable only by its user. */
export async function kekCheck(context: OpenDoctorContext): Promise<Finding[]> {
  return [...await missing(context), ...exposed(context)];
}

async function missing(context: OpenDoctorContext): Promise<Finding[]> {
  try {
    await context.installation.kek();
    return [];
  } catch (error) {
    // With too many files open nothing is known of the key.
    if (!isRekeyError(error) || hasTooManyOpen(error)) throw error;
    const { code, message, hint = "" } = error;
    // A KEK that cannot be read counts as missing.
    const known = code === "kek_invalid" || code === "kek_wrong" ? code : "kek_missing";
    return [{
      code: known,
      what: message,
      why: "Sealed values cannot be opened and no audit row can be written" +
        // What was named is not the key, which may well be there.
        (known === "kek_missing"
          ? `; if the KEK is lost: \`${rekey(context, "restore BACKUP --force --new-secret")}\``
          : ""),
      command: `# ${hint}`,
    }];
  }
}

function hasTooManyOpen({ cause }: RekeyError): boolean {
  return ["EMFILE", "ENFILE"].includes(codeOf(cause) ?? "");
}

function exposed({ installation }: OpenDoctorContext): Finding[] {
  const { file, passphraseFile } = sourcesOf(installation);
  const files = [installation.generatedKeyFile(), file, passphraseFile];
  return files.filter((path) => path !== undefined).flatMap((path): Finding[] => {
    const exposure = exposureOf(path);
    if (exposure === undefined) return [];
    const { shown, mayFix, isReadOnly, fix: command } = exposure;
    const what = `${path} can be read by other users (${shown})`;
    if (isReadOnly) return [readable(what)];
    const isBehind = isBehindFolder(path);
    const finding = isBehind ? behindFolder(path, shown, command) : byOthers(what, command);
    if (!mayFix) return [finding];
    const fixable = { ...finding, fix: () => makePrivate(path) };
    return [isBehind ? fixable : { ...fixable, afterFix: exposedKey(path, shown) }];
  });
}

// Another finding reports settings that cannot be used.
function sourcesOf(installation: OpenDoctorContext["installation"]): Partial<KekSources> {
  try {
    return installation.kekSources();
  } catch (error) {
    if (isRekeyError(error)) return {};
    throw error;
  }
}

function behindFolder(path: string, shown: string, command: string): Finding {
  return {
    code: "kek_exposed",
    what: `Only a folder keeps other users from reading ${path} (${shown})`,
    why: "A copy elsewhere has the file's own mode",
    command,
  };
}

function byOthers(what: string, command: string): Finding {
  return {
    code: "kek_exposed",
    what,
    command,
    why: "Anyone who has read it can open the sealed values in every copy of the database; " +
      "`rekey kek rotate` makes a new KEK",
  };
}

// Containers mount secrets this way and have a single user.
function readable(what: string): Finding {
  return {
    code: "kek_readable",
    what: `${what}, and the file system is read-only`,
    why: "Its mode can be changed only in the mount: defaultMode 0400 with Kubernetes, mode 0400 " +
      "with Compose. It does not matter where there is no other user",
    command: null,
  };
}
