import type { Context } from "../context.ts";

/** Ends every grace window. */
export async function revoke(_options: unknown, { secrets, output }: Context): Promise<void> {
  const ended = await secrets.revoke();
  const versions = ended.map(({ version }) => version);
  output.result({ app: secrets.environment.app.name, revoked_versions: versions }, [
    versions.length === 0
      ? "No grace window is open"
      : `No longer verifying: version ${versions.join(", ")}`,
  ]);
}
