import { type Location, numberedSlot } from "../core/secret_store.ts";
import type { Installation } from "../store/installation.ts";

/** Inside a transaction: the secret is this machine's own from now on, and so are its rotations. */
export function leaveCluster(installation: Installation, to: Location): void {
  installation.meta.remove("fleet");
  installation.meta.remove("etcd_source");
  installation.meta.set("store", to);
  dropPrepared(installation);
}

/** Inside a transaction: drops a prepared version, which only the machines that share it can activate. */
export function dropPrepared(installation: Installation): void {
  const { versions, sealed } = installation;
  const prepared = versions.pending();
  if (prepared?.location !== "etcd") return;
  sealed.drop(numberedSlot(prepared));
  versions.retire(prepared, installation.now());
}
