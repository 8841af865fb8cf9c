import { Buffer } from "node:buffer";
import { verifyChain } from "../audit/verify.ts";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import type { Installation } from "../store/installation.ts";
import { newKek } from "../store/kek.ts";
import type { Contents } from "./envelope.ts";

/** Whether two databases are copies of one: then the newer one's audit log goes on. */
export function sameInstallation(a: Installation, b: Installation | undefined): b is Installation {
  return b !== undefined && a.meta.get("id") !== undefined && a.meta.get("id") === b.meta.get("id");
}

/**
 * Gives a backup the keys that it is to work with: those of the database that it replaces when that is the
 * same installation's, else its own, else a new KEK over the audit key in its envelope.
 *
 * @throws {RekeyError} `kek_…` when its KEK cannot be had and there is no envelope, `backup_unusable` when
 * its audit log was changed.
 */
export async function settleKeys(
  staged: Installation,
  live: Installation | undefined,
  contents: Contents | undefined,
): Promise<void> {
  const same = sameInstallation(staged, live);
  // An automatic copy has neither keys nor audit rows.
  if (!same && staged.meta.get("audit_key") === undefined) {
    const { algorithm: alg, keyForm, store } = staged;
    return await staged.prepare({ alg, keyForm, store });
  }
  if (same) await takeKeys(staged, live);
  const auditKey = await ownAuditKey(staged, contents);
  const { bad } = verifyChain(staged.database, auditKey);
  if (bad === null) return;
  throw new RekeyError(
    "backup_unusable",
    `Cannot use the backup: its audit log is broken at row ${bad.seq}: ${bad.why}`,
    { hint: "Nothing was changed; try another backup" },
  );
}

async function takeKeys(staged: Installation, live: Installation): Promise<void> {
  const kek = await live.kek();
  staged.database.transaction(() => {
    for (const key of ["kek", "audit_key"] as const) staged.meta.set(key, live.meta.get(key)!);
  });
  staged.useKek(kek);
}

async function ownAuditKey(
  staged: Installation,
  contents: Contents | undefined,
): Promise<Uint8Array> {
  try {
    return await staged.auditKey();
  } catch (error) {
    if (!isRekeyError(error) || contents === undefined) throw error;
  }
  const { environment: { app, folders, kek: sources } } = staged;
  const { kek, record } = await newKek(sources, folders.config, app.name);
  const auditKey = new Uint8Array(Buffer.from(contents.audit_key, "base64"));
  const sealed = await staged.sealAuditKey(auditKey, kek);
  staged.database.transaction(() => {
    staged.meta.set("kek", JSON.stringify(record));
    staged.meta.set("audit_key", sealed);
  });
  staged.useKek(kek);
  return auditKey;
}
