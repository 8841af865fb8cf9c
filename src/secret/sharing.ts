import { HERE } from "../system/here.ts";
import { RekeyError } from "../core/errors.ts";
import { isSplit } from "../etcd/client.ts";
import { unconfigured } from "../etcd/errors.ts";
import { isPortable, type KekSources } from "../store/sealed/kek_sources.ts";
import type { Environment, Installation } from "../store/installation.ts";

/** Whether the current version is one that machines share. */
export function isShared({ versions }: Installation): boolean {
  return versions.current()?.location === "etcd";
}

/**
 * Makes sure, before anything is made, that etcd answers and that other machines can have the KEK too.
 *
 * @throws {RekeyError} `etcd_…`, or `kek_missing` when the KEK is a generated key file or comes from a passphrase, whose
 * salt is this machine's own.
 */
export async function mustBeShareable(
  { kek, etcd, app }: Pick<Environment, "etcd" | "app"> & { readonly kek: KekSources },
): Promise<void> {
  if (etcd === undefined) throw unconfigured();
  if (!isPortable(kek)) {
    throw new RekeyError("kek_missing", "Cannot share the secret: its KEK is this machine's own", {
      hint: `Make a key file with \`${HERE.advice.makeKey}\`, ` +
        "bring it to every machine, and name it " +
        "by --kek-file, REKEY_KEK_COMMAND or a systemd credential",
    });
  }
  await etcd.range(`${etcd.settings.prefix}${app.name}/state`);
  if (isSplit(await etcd.status())) {
    throw new RekeyError("etcd_failed", "Cannot use etcd: members of different etcds are named", {
      hint:
        "`etcdctl member list` of each shows whose it is. One that was started before it was configured, as " +
        "Debian's package does, stays alone until its data folder is emptied",
    });
  }
}
