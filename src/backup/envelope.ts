import { isRekeyError, RekeyError, usageError } from "../core/errors.ts";
import { utf8 } from "../core/encoding.ts";

/** What a new machine needs: the values of the versions, and the key of the audit log. */
export interface Contents {
  readonly app: string;
  /** base64 of the audit log's key. */
  readonly audit_key: string;
  readonly versions: readonly { version: number; kid: string; value: string }[];
}

/** Who can open an envelope: holders of a passphrase, or of the identities of age recipients. */
export interface Readers {
  readonly passphrase?: string | undefined;
  /** `age1…` */
  readonly recipients?: readonly string[] | undefined;
}

/** Passphrase or identities that open an envelope. */
export interface Openers {
  readonly passphrase?: string | undefined;
  /** `AGE-SECRET-KEY-1…` */
  readonly identities?: readonly string[] | undefined;
}

/**
 * Seals contents in the age format (age-encryption.org/v1), armored: `age -d` opens it too.
 *
 * @throws {RekeyError} `usage` for an invalid recipient.
 */
export async function sealEnvelope(contents: Contents, readers: Readers): Promise<string> {
  // Loaded on demand, since only this command needs it.
  const { armor, Encrypter } = await import("age-encryption");
  const encrypter = new Encrypter();
  if (readers.passphrase !== undefined) encrypter.setPassphrase(readers.passphrase);
  for (const recipient of readers.recipients ?? []) {
    try {
      encrypter.addRecipient(recipient);
    } catch (cause) {
      throw usageError(
        "Cannot use a recipient: it is not an age recipient",
        "Write it as age-keygen prints it, age1…",
        cause,
      );
    }
  }
  return armor.encode(await encrypter.encrypt(JSON.stringify(contents)));
}

/**
 * Opens what {@linkcode sealEnvelope} sealed.
 *
 * @throws {RekeyError} `backup_unusable` when no opener fits, or the envelope is damaged.
 */
export async function openEnvelope(sealed: string, openers: Openers): Promise<Contents> {
  const { armor, Decrypter } = await import("age-encryption");
  const decrypter = new Decrypter();
  if (openers.passphrase !== undefined) decrypter.addPassphrase(openers.passphrase);
  for (const identity of openers.identities ?? []) {
    try {
      decrypter.addIdentity(identity);
    } catch (cause) {
      throw cannotOpen("the identity file has a line that is not an age identity", cause);
    }
  }
  try {
    return checked(JSON.parse(utf8(await decrypter.decrypt(armor.decode(sealed), "uint8array"))));
  } catch (error) {
    if (isRekeyError(error)) throw error;
    throw cannotOpen("the passphrase or identity is wrong, or the backup is damaged", error);
  }
}

function checked(contents: Contents): Contents {
  const { app, audit_key, versions } = contents;
  const sound = typeof app === "string" && typeof audit_key === "string" &&
    Array.isArray(versions) &&
    versions.every(({ version, kid, value }) =>
      Number.isSafeInteger(version) && typeof kid === "string" && typeof value === "string"
    );
  if (!sound) throw cannotOpen("its contents are not from rekey");
  return contents;
}

function cannotOpen(why: string, cause?: unknown): RekeyError {
  return new RekeyError("backup_unusable", `Cannot open the secret in the backup: ${why}`, {
    hint: "Nothing was changed; give the passphrase or identity that it was sealed for",
    cause,
  });
}
