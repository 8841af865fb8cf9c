import type { AuditEvent } from "../audit/events.ts";
import { RekeyError } from "../core/errors.ts";
import type { SecretManager } from "../secret/manager.ts";
import type { Installation } from "../store/installation.ts";
import { namedUser, subjectsOf } from "./names.ts";
import { Sessions } from "./sessions.ts";
import { Users } from "./users.ts";

/** Makes a change to users or sessions and appends its audit rows, in one transaction. */
export async function changeUsers<T>(
  secrets: SecretManager,
  change: (installation: Installation, now: number) => T,
  event: AuditEvent,
  ...reasons: string[]
): Promise<T> {
  const { installation } = await secrets.open();
  const audit = await installation.audit();
  return installation.database.transaction(() => {
    const result = change(installation, installation.now());
    reasons.forEach((reason) => audit.append({ event, reason }));
    return result;
  });
}

/** The name as stored. @throws {RekeyError} `failed` for an unknown user. */
export async function knownUser(secrets: SecretManager, name: string): Promise<string> {
  const { installation } = await secrets.open();
  const user = namedUser(new Users(installation.database), name);
  if (user === undefined) throw unknownUser();
  return user.name;
}

/** @throws {RekeyError} `failed` when one of the names is no user's, and no session of it is known here. */
export async function mustBeKnown(secrets: SecretManager, names: readonly string[]) {
  const { database } = (await secrets.open()).installation;
  const [users, sessions] = [new Users(database), new Sessions(database)];
  const isKnown = (name: string) =>
    namedUser(users, name) !== undefined ||
    subjectsOf(users, name).some((sub) => sessions.has(sub));
  const unknown = names.flatMap((name, at) => isKnown(name) ? [] : [at + 1]);
  if (unknown.length === 0) return;
  // No name is quoted: what no user is called may be a token or a password, given by mistake.
  const which = names.length === 1 ? "" : ` (--user number ${unknown.join(", ")})`;
  throw new RekeyError(
    "failed",
    `Cannot end the sessions: this machine knows no such user, and no session of one${which}`,
    { hint: "No session was ended; `rekey session list` shows whose are open" },
  );
}

/** The error for a name that no user has. */
export function unknownUser(): RekeyError {
  return new RekeyError("failed", "Cannot find the user", { hint: "`rekey user list` shows all" });
}
