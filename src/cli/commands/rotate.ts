import { rfc3339 } from "../../core/clock.ts";
import type { Context } from "../context.ts";
import { describeSeconds, describeVersion } from "../describe.ts";
import { mustBeWanted } from "../terminal.ts";

/** Flags of `rekey rotate`. Durations in seconds. */
export interface RotateFlags {
  readonly reason?: string;
  readonly force?: boolean;
  readonly grace: number;
  readonly dryRun?: boolean;
  readonly lockTimeout: number;
}

/** Replaces the secret. */
export async function rotate(options: RotateFlags, context: Context): Promise<void> {
  if (options.dryRun) return await dryRun(options, context);
  const { secrets, auth, output, store } = context;
  const app = secrets.environment.app.name;
  mustBeWanted(options.force ?? false, await question(options, context), context.confirm);
  const lastExpiry = options.grace > 0 ? await auth.lastExpiry() : null;
  const changed = await auth.rotate({
    store,
    reason: options.reason,
    graceMs: options.grace * 1000,
    lockTimeoutMs: options.lockTimeout * 1000,
  });
  const { version, previous, graceUntil, published } = changed;
  const { installation } = await secrets.open();
  const ended = graceUntil === null
    ? "no longer verifies: all sessions have ended"
    : `verifies until ${rfc3339(graceUntil)}`;
  output.result({
    ...describeVersion(app, version, installation.keyForm),
    previous_version: previous?.version ?? null,
    previous_kid: previous?.kid ?? null,
    grace_until: graceUntil === null ? null : rfc3339(graceUntil),
    reason: options.reason ?? null,
  }, [
    `Rotated the JWT secret of ${app}: version ${version.version} (kid ${version.kid}) in the ${version.location}`,
    `Version ${previous?.version} (kid ${previous?.kid}) ${ended}`,
  ]);
  if (graceUntil !== null && lastExpiry !== null && lastExpiry > graceUntil) {
    output.warning(
      `the grace window is shorter than the longest session, which would have lasted until ${
        rfc3339(lastExpiry)
      }`,
    );
  }
  if (!published) {
    output.warning(
      "the keyring could not be brought up to date; the next command that reaches it does it",
    );
  }
}

async function question(options: RotateFlags, { auth, secrets }: Context): Promise<string> {
  if (options.force) return "";
  const app = secrets.environment.app.name;
  const sessions = await auth.activeSessions();
  const when = options.grace === 0 ? "now" : `in ${describeSeconds(options.grace)}`;
  return `Rotate the JWT secret of ${app}? ${sessions} active session${
    sessions === 1 ? " ends" : "s end"
  } ${when}.`;
}

async function dryRun(options: RotateFlags, context: Context): Promise<void> {
  const { secrets, auth, output, store } = context;
  const app = secrets.environment.app.name;
  const { current, location } = await secrets.planRotation(store);
  const sessions = await auth.activeSessions();
  output.result({
    dry_run: true,
    app,
    location,
    previous_version: current.version,
    previous_kid: current.kid,
    sessions_active: sessions,
    reason: options.reason ?? null,
  }, [
    `Would replace version ${current.version} (kid ${current.kid}) in the ${current.location} ` +
    `by a new one in the ${location}; active sessions: ${sessions}`,
  ]);
}
