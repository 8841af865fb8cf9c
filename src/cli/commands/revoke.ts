import type { Context } from "../context.ts";
import { confirmed, describeConfirmation, mustBeConfirmed } from "../fleet_members.ts";

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
  output.result({ app, revoked_versions: versions, ...describeConfirmation(confirmation) }, [
    versions.length === 0
      ? "No grace window is open"
      : `No longer verifying: version ${versions.join(", ")}`,
  ]);
  mustBeConfirmed(confirmation);
}
