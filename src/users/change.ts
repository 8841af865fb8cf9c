import type { AuditEvent } from "../audit/events.ts";
import { RekeyError } from "../core/errors.ts";
import type { SecretManager } from "../secret/manager.ts";
import type { Installation } from "../store/installation.ts";
import { namedUser } from "./names.ts";
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

/** The error for a name that no user has. */
export function unknownUser(): RekeyError {
  return new RekeyError("failed", "Cannot find the user", { hint: "`rekey user list` shows all" });
}
