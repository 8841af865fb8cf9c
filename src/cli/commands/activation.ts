import type { Changed } from "../../secret/backend.ts";
import type { Installation } from "../../store/installation.ts";
import type { Context } from "../context.ts";
import type { RotateFlags } from "./rotate_flags.ts";

/**
 * Checks what an activation needs before hooks and programs run for it; under the lock it is checked again.
 *
 * @param permit called first, and again under the lock; its error is the activation's.
 * @returns makes the version that is prepared now the current one.
 * @throws {RekeyError} `failed` when none is prepared; `check_failed` when a cache of the public set may lack it, unless
 * `force`d.
 */
export async function activation(
  { grace, force, backup, lockTimeout }: RotateFlags,
  { secrets }: Context,
  permit?: (installation: Installation) => void,
): Promise<() => Promise<Changed>> {
  // A rotation in one step does without it.
  const { mustHaveBeenOut, nonePrepared } = await import("../../secret/standby.ts");
  const { installation } = await secrets.openFresh();
  // Of one moment: once another process has activated it, it is that which the permission is about.
  const prepared = installation.database.snapshot(() => {
    permit?.(installation);
    return installation.versions.prepared();
  });
  if (prepared === undefined) throw nonePrepared();
  if (!force) mustHaveBeenOut(prepared, installation.now());
  const order = { wanted: prepared.kid, graceMs: grace * 1000, force, backup };
  return () =>
    secrets.underLock(
      (installation, backend, _turn, note) => {
        const more = { permit: () => permit?.(installation) };
        return backend.activate(installation, { ...order, ...more }, note);
      },
      { waitMs: lockTimeout * 1000 },
    );
}
