import { EVENTS } from "../audit/events.ts";
import type { Secret } from "../core/secret.ts";
import type { Installation } from "../store/installation.ts";
import { scrub } from "../store/sqlite/scrub.ts";
import { type Kek, newKek } from "../store/sealed/kek.ts";
import { removeStaleKek } from "./recover.ts";
import { sealedSlot, type Slot } from "../core/location.ts";
import type { Version } from "../store/sqlite/versions.ts";

/**
 * Seals all values in the database under another KEK, in one transaction: before it the old KEK opens all of them, after
 * it only the new one does. Call it under the lock.
 *
 * @param keyFile file of the new KEK; without one a key file is generated.
 * @throws {RekeyError} `kek_…` when the old or the new KEK is unavailable, `secret_damaged` when a value cannot be
 * opened; nothing changes then.
 */
export async function rotateKek(
  installation: Installation,
  keyFile: string | undefined,
): Promise<Kek> {
  const { environment, database, versions, sealed, meta } = installation;
  const { app, folders } = environment;
  const sources = { file: keyFile, run: environment.kek.run };
  const old = meta.get("kek");
  const oldFile = installation.generatedKeyFile();
  const audit = await installation.audit();
  const auditKey = await installation.auditKey.read();
  const values = await sealedValues(installation, versions.held());
  const { kek, record } = await newKek(sources, folders.config, app.name);
  const resealed = await Promise.all(
    values.map(async ({ slot, value }) => ({ slot, sealed: await sealed.seal(slot, value, kek) })),
  );
  const sealedAuditKey = await installation.auditKey.seal(auditKey, kek);
  database.transaction(() => {
    if (meta.get("kek") !== old) throw new Error("The KEK was changed without the lock");
    for (const row of resealed) sealed.put(row.slot, row.sealed);
    meta.set("audit_key", sealedAuditKey);
    meta.set("kek", JSON.stringify(record));
    installation.remembered.setKek(installation.remembered.kekRow(sources));
    // Set until the file is deleted: the old KEK opens values in copies of the database.
    if (oldFile !== undefined) meta.set("stale_kek", old ?? "");
    meta.set("scrub_pending", "log");
    audit.append({ event: EVENTS.kekRotated, reason: `KEK ${kek.id}` });
  });
  installation.useKek(kek);
  removeStaleKek(installation);
  scrub(installation);
  return kek;
}

async function sealedValues({ sealed }: Installation, rows: readonly Version[]) {
  const found: { slot: Slot; value: Secret }[] = [];
  for (const row of rows) {
    const slot = sealedSlot(row);
    const value = await sealed.read(slot);
    if (value !== null) found.push({ slot, value });
  }
  return found;
}
