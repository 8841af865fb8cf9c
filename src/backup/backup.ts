import type { Location } from "../core/secret_store.ts";
import { Buffer } from "node:buffer";
import { EVENTS } from "../audit/events.ts";
import { rfc3339 } from "../core/clock.ts";
import { RekeyError } from "../core/errors.ts";
import { isAutomaticName } from "../secret/automatic_copy.ts";
import type { SecretManager } from "../secret/manager.ts";
import { type BackupInfo, refuseExisting, writeBackup } from "../store/backup_file.ts";
import type { Installation } from "../store/installation.ts";
import { exclusively } from "../store/lock.ts";
import { type Contents, type Readers, sealEnvelope } from "./envelope.ts";

/**
 * Writes a consistent copy of the database to a new file (0600) while other processes go on writing.
 *
 * @param readers who is to be able to open the secret in it; without them the copy has what the database
 * has: a secret in the database stays sealed under its KEK, one in the keyring is not in the copy.
 * @throws {RekeyError} `backup_unusable` when the file is there, `database_unusable` when it cannot be
 * written, a code with exit status 4 when a value for the envelope cannot be read.
 */
export async function backUp(
  secrets: SecretManager,
  path: string,
  readers: Readers | undefined,
): Promise<{ info: BackupInfo; location: Location }> {
  const { installation } = await secrets.open();
  const { app } = secrets.environment;
  refuseExisting(path);
  if (isAutomaticName(path)) throw reserved(path);
  // Under the lock: a rotation would make the copy and the values in it those of two versions.
  return await exclusively(installation.lockPath, async () => {
    const secret = readers && await sealEnvelope(await contents(secrets, installation), readers);
    const made_at = rfc3339(installation.now());
    const database = installation.database.path;
    const info: BackupInfo = { app: app.name, kind: "manual", made_at, database, secret };
    const audit = await installation.audit();
    installation.id();
    const copy = (partial: string) => installation.database.copyTo(partial);
    await writeBackup(
      path,
      info,
      false,
      copy,
      () =>
        installation.database.transaction(() =>
          audit.append({ event: EVENTS.backedUp, reason: secret ? "with the secret" : undefined })
        ),
    );
    return { info, location: (await secrets.open()).version.location };
  });
}

async function contents(secrets: SecretManager, installation: Installation): Promise<Contents> {
  const versions: Contents["versions"][number][] = [];
  for (const row of await secrets.verifying()) {
    const { secret } = await secrets.valueOf(row);
    versions.push({ version: row.version, kid: row.kid, value: secret.reveal() });
  }
  const audit_key = Buffer.from(await installation.auditKey()).toString("base64");
  return { app: secrets.environment.app.name, audit_key, versions };
}

function reserved(path: string): RekeyError {
  return new RekeyError("usage", `Cannot write ${path}: automatic copies have such names`, {
    hint: "Name another file, best in another folder",
  });
}
