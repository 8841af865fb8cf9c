import { userInfo } from "node:os";
import { isRekeyError } from "../../core/errors.ts";
import type { Location } from "../../core/secret_store.ts";
import { Installation } from "../../store/installation.ts";
import { isThere } from "../../files/file_facts.ts";
import { HERE } from "../../system/here.ts";
import { type Context, variable } from "../context.ts";

/** What can keep a schedule from working although it is in its place, said now. */
export function obstacles(kind: string, of: "user" | "system", context: Context): string[] {
  const found: string[] = [];
  const inKeyring = locationOf(context) === "keyring" && context.store !== "database";
  const outside = outOfReach(kind, of);
  if (inKeyring && outside !== undefined) {
    found.push(
      `the secret is in the keyring, which ${outside} cannot reach: use \`rekey store move ` +
        `database\`, or \`rekey schedule ${usersOwn(kind)}\` as its user`,
    );
  }
  if (kind === "systemd" && of === "user" && !lingers()) {
    found.push(
      "the timer runs only while you are logged in: `loginctl enable-linger` lets it run always" +
        (inKeyring ? ", but the keyring stays locked until you log in" : ""),
    );
  }
  return found;
}

/** What has no session, and so no keyring. */
function outOfReach(kind: string, of: "user" | "system"): string | undefined {
  if (kind === "cron") return "cron";
  if (of === "user") return undefined;
  if (kind === "launchd") return "a daemon of the system's";
  return kind === "systemd" ? "a unit of the system's" : undefined;
}

function usersOwn(kind: string): string {
  const own = kind === "cron" ? HERE.schedule : kind;
  return own === "systemd" ? "systemd --user" : own;
}

// Nothing is made, taken over or finished by looking.
function locationOf({ secrets }: Context): Location | undefined {
  try {
    const installation = Installation.openAsFound(secrets.environment);
    const location = installation?.versions.current()?.location;
    installation?.close();
    return location;
  } catch (error) {
    if (isRekeyError(error)) return undefined;
    throw error;
  }
}

// systemd's own record of it.
function lingers(): boolean {
  if (HERE.schedule !== "systemd" || variable("XDG_RUNTIME_DIR") === undefined) return true;
  return isThere(`/var/lib/systemd/linger/${userInfo().username}`);
}
