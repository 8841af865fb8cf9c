import type { Context } from "../context.ts";
import { describeHolders } from "../../secret/holders.ts";
import { staleProcesses, warnOfHolders } from "../warnings.ts";
import { confirmed, describeConfirmation, mustBeConfirmed } from "../fleet_facts.ts";

/** Flags of `rekey revoke`. Durations in seconds. */
export interface RevokeFlags {
  readonly wait?: number;
}

/** Ends every grace window. */
export async function revoke({ wait }: RevokeFlags, { secrets, output }: Context): Promise<void> {
  const ended = await secrets.revoke();
  const confirmation = await confirmed(secrets, wait);
  const versions = ended.map(({ version }) => version);
  const app = secrets.environment.app.name;
  const stale = await staleProcesses(secrets);
  output.result({
    app,
    revoked_versions: versions,
    stale_processes: describeHolders(stale),
    ...describeConfirmation(confirmation),
  }, [
    versions.length === 0
      ? "No grace window is open"
      : `No longer verifying: version ${versions.join(", ")}`,
  ]);
  warnOfHolders(stale, output);
  mustBeConfirmed(confirmation);
}
