import type { AuditWriter } from "../audit/chain.ts";
import { EVENTS } from "../audit/events.ts";
import { RekeyError } from "../core/errors.ts";
import type { Installation } from "../store/installation.ts";
import { scrub } from "../store/sqlite/scrub.ts";
import { SAVED } from "../store/keyring/keyring_store.ts";
import { mustBeFree, mustFit } from "../store/location_choice.ts";
import { type Location, numberedSlot, sealedSlot } from "../core/location.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { settlePlace } from "./local_changes.ts";
import { dropPrepared } from "./recover.ts";
import { mayReplace, tryReconcile } from "./keyring/reconcile.ts";
import { needsCopy, noteUnsaved } from "./keyring/unsaved.ts";
import { type Note, retrieve, type Retrieved } from "./retrieve.ts";

/** Result of a move. */
export interface Moved {
  readonly versions: Version[];
  /** Whether the keyring is up to date too; if not, the next command updates it. */
  readonly published: boolean;
  /** Whether the secret was in the database for want of a keyring, and is there by choice from now on. */
  readonly chosen?: boolean;
}

/**
 * Moves every version that verifies to another location. The values and their tokens stay valid. Takes effect in one
 * SQLite commit. Call it under the lock, after recovery.
 *
 * @throws {RekeyError} a code with exit status 4 when a value cannot be read or the keyring cannot be used; nothing is
 * moved then.
 */
export async function relocate(
  installation: Installation,
  to: Location,
  note: Note,
): Promise<Moved> {
  const { database, meta, versions } = installation;
  const rows = versions.held().filter(({ location, state }) =>
    location !== to && !(location === "etcd" && state === "pending")
  );
  const values: Retrieved[] = [];
  for (const row of rows) values.push(await retrieve(installation, row, note));
  if (to === "keyring") await copyToKeyring(installation, values);
  else if (values.length > 0) await commit(installation, to, await sealAll(installation, values));
  const chosen = await settlePlace(installation, versions.current()!, to);
  if (rows.length === 0) database.transaction(() => meta.set("store", to));
  const published = versions.unsynced().length === 0 || (await tryReconcile(installation)).done;
  scrub(installation);
  return { versions: rows, published, chosen };
}

async function sealAll(
  { sealed }: Installation,
  values: Retrieved[],
): Promise<Map<Version, string>> {
  const found = new Map<Version, string>();
  for (const { version, secret } of values) {
    found.set(version, await sealed.seal(sealedSlot(version), secret));
  }
  return found;
}

async function copyToKeyring(installation: Installation, values: Retrieved[]): Promise<void> {
  if (values.length === 0) return;
  const { database, keyring, versions } = installation;
  values.forEach(({ secret }) => mustFit(keyring, secret.reveal().length));
  await mustBeFree(keyring, (kid) => mayReplace(installation, kid));
  // A keyring that refuses has no value to delete. One that is not ready may ask its user, which only a write shows.
  await keyring.mustBeReady(numberedSlot(values[0]!.version)).catch(() => keyring.probe());
  // From here on a later command checks the keyring for values to delete.
  database.transaction(() => values.forEach(({ version }) => versions.markUnsynced(version)));
  try {
    for (const { version, secret } of values) {
      if (!await keyring.keep(numberedSlot(version), secret)) throw notKept();
    }
  } catch (error) {
    await tryReconcile(installation);
    throw error;
  }
  const settled = await keyring.settle();
  const copies = needsCopy(installation, settled) ? await sealAll(installation, values) : new Map();
  await commit(
    installation,
    "keyring",
    new Map(values.map(({ version }) => [version, copies.get(version)])),
    settled,
  );
}

/** @param copies sealed value of each version for the database; `undefined` for none. */
async function commit(
  installation: Installation,
  to: Location,
  copies: Map<Version, string | undefined>,
  settled = SAVED,
) {
  const { database, meta, sealed, versions } = installation;
  const audit = await installation.audit();
  database.transaction(() => {
    for (const [row, copy] of copies) {
      const { version, kid, location } = row;
      if (copy === undefined) sealed.drop(sealedSlot(row));
      else sealed.put(sealedSlot(row), copy);
      versions.relocate(row, to);
      audit.append({ event: EVENTS.moved, version, kid, location: to, reason: `from ${location}` });
    }
    noteUnsaved(installation, settled, [...copies.keys()].map(({ version }) => version));
    leaveCluster(installation, to, audit);
    meta.set("scrub_pending", "log");
  });
}

function notKept(): RekeyError {
  return new RekeyError("failed", "Cannot move the JWT secret: the keyring did not keep it", {
    hint: "It is still in the database; check the keyring service's own log",
  });
}

/** Inside a transaction: makes the secret and its later rotations local. */
export function leaveCluster(
  installation: Installation,
  to: Location,
  audit: AuditWriter,
): void {
  installation.meta.remove("fleet");
  installation.meta.remove("etcd_source");
  installation.meta.set("store", to);
  // Only the fleet can activate it.
  if (installation.versions.prepared()?.location === "etcd") dropPrepared(installation, audit);
}
