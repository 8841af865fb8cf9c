import { rfc3339 } from "../../core/clock.ts";
import { holdersOf, isStale, type StaleHolder } from "../../secret/holders.ts";
import {
  type Finding,
  firstInstalled,
  NOT_USED,
  type NotUsed,
  type OpenDoctorContext,
  rekey,
  shellWord,
} from "../findings.ts";
import { join } from "node:path";
import process from "node:process";
import { isRekeyError, type RekeyError } from "../../core/errors.ts";
import { SYSTEM, type System } from "../../system/system.ts";
import type { KEYRING_UNAVAILABLE, KeyringCode } from "../../store/keyring/codes.ts";
import { REMEDIES } from "../../store/keyring/errors.ts";
import { currentSlot } from "../../core/location.ts";
import { infoOf } from "../../system/files.ts";

/** Programs started by `exec` that still hold a replaced version. */
export function programsCheck({ installation }: OpenDoctorContext): Finding[] | NotUsed {
  const holders = holdersOf(installation);
  return holders.length === 0 ? NOT_USED : holders.filter(isStale).map(finding);
}

function finding({ pid, program, version, since, state, until }: StaleHolder): Finding {
  const held = version === null ? "a version unknown to this machine" : `version ${version}`;
  const ended = state === "ended";
  return {
    code: ended ? "exec_ended" : "exec_grace",
    what: ended
      ? `${program} (PID ${pid}) still holds ${held}, which no longer verifies`
      : `${program} (PID ${pid}) still holds ${held}, which verifies until ${rfc3339(until!)}`,
    why:
      `\`rekey exec\` started it at ${rfc3339(since)}; it signs and verifies with the old secret ` +
      "until it is restarted. `exec --on-rotate restart` restarts it automatically",
    // How it is restarted depends on its service manager.
    command: `# restart PID ${pid} (${program})`,
  };
}

/** Whether the keyring works. It is a note only if no value is in it. */
export async function keyringCheck(
  context: OpenDoctorContext,
  system: System = SYSTEM,
): Promise<Finding[] | NotUsed> {
  const { installation } = context;
  const { keyring, versions, store } = installation;
  const current = versions.current()!;
  const needed = current.location === "keyring";
  if (!needed && (store === "database" || current.location === "etcd")) return NOT_USED;
  installation.expectUsualKeyring();
  try {
    if (needed) {
      await keyring.reach(currentSlot(current));
      return await keptByProvider(context);
    }
    await keyring.mustTake(currentSlot(current));
    return [unused(context, "although a keyring is available", rekey(context, MOVE))];
  } catch (error) {
    if (!isRekeyError(error)) throw error;
    if (needed) return [await unavailable(context, error, system)];
    // Servers commonly have no keyring.
    return error.code === "keyring_absent"
      ? NOT_USED
      : [unused(context, CANNOT, await remedyOf(context, error, system), `${error.message}. `)];
  }
}

/** KeePassXC keeps replaced and deleted values in its history and recycle bin. */
async function keptByProvider({ installation }: OpenDoctorContext): Promise<Finding[]> {
  if ((await installation.keyring.provider())?.kind !== "keepassxc") return [];
  return [{
    code: "keyring_keeps",
    what: "KeePassXC keeps former values of the secret: in the entry's history and its recycle bin",
    why:
      "They verify nothing in rekey. A program that still accepts one would accept its tokens, and " +
      "`destroy` leaves them: clear the history and empty the recycle bin in KeePassXC",
    command: null,
  }];
}

const MOVE = "store move keyring";
const CANNOT = "and there is a keyring, which cannot be used now";

// Where the keyring cannot be used, the command repairs that first.
function unused(
  context: OpenDoctorContext,
  keyring: string,
  command: string | undefined,
  trouble = "",
): Finding {
  const move = trouble === "" ? "a move" : `\`${rekey(context, MOVE)}\`, once it can be used,`;
  return {
    code: "keyring_unused",
    what: `The secret is in the database, ${keyring}`,
    why:
      `${trouble}It protects the secret better than a key file; ${move} keeps its tokens valid. ` +
      `To keep it in the database: ${rekey(context, "store move database")}`,
    command: command ?? null,
  };
}

// Keyring daemons that a command can start with their existing contents.
const GNOME = "gnome-keyring-daemon --start --components=secrets";
const STARTS = [GNOME, "kwalletd6", "kwalletd5"];

/** A command that repairs or starts the keyring. */
async function remedyOf(
  context: OpenDoctorContext,
  { code }: RekeyError,
  { hasSecretService, os }: System,
): Promise<string | undefined> {
  if (!hasSecretService) return REMEDIES[os][code as KeyringCode].command;
  if (code === "keyring_absent") {
    // Only the usual keyring has rekey's items.
    const { usual } = context.installation.keyring;
    if (usual === "gnome-keyring") return GNOME;
    if (usual !== undefined && usual !== "other") return usual;
    return firstInstalled(context, STARTS, "install gnome-keyring");
  }
  if (code === "keyring_ambiguous") {
    return `secret-tool search --all service ${shellWord(context.environment.app.service)}`;
  }
  const kind = (await context.installation.keyring.provider())?.kind ?? "other";
  return REMEDIES[kind][code as KeyringCode]?.command;
}

async function unavailable(
  context: OpenDoctorContext,
  error: RekeyError,
  system: System,
): Promise<Finding> {
  const { hasSecretService } = system;
  // The collection held the secret; that it is gone is a keyring failure.
  const code = error.code === "keyring_no_default"
    ? "keyring_failed"
    : error.code as Exclude<typeof KEYRING_UNAVAILABLE[number], "keyring_no_default">;
  const bus = code === "keyring_absent" && hasSecretService ? missingBus(context) : undefined;
  return bus ?? {
    code,
    what: error.message,
    why: `${error.hint}. Nothing is lost${hasSecretService ? KERNEL_KEYS : ""}`,
    command: await remedyOf(context, error, system) ?? null,
  };
}

// Some users consider the kernel keyring on Linux.
const KERNEL_KEYS = ". A program that uses the kernel's keys instead would lose them at a restart";

/** Explains a missing session bus by how the session was started. */
function missingBus({ variable, environment }: OpenDoctorContext): Finding | undefined {
  if (variable("DBUS_SESSION_BUS_ADDRESS") !== undefined) return undefined;
  const own = join("/run/user", String(process.geteuid!()), "bus");
  const finding = (why: string, command: string): Finding => ({
    code: "bus_missing",
    what: "There is no session bus: DBUS_SESSION_BUS_ADDRESS is not set",
    why: `${why}; the secret of ${environment.app.name} is in the keyring, which is reached by it`,
    command,
  });
  if (variable("SUDO_USER") !== undefined) {
    return finding(
      "sudo runs this as another user, without that user's session",
      "exit  # and run it without sudo",
    );
  }
  if (infoOf(own) !== undefined) {
    const command = `export DBUS_SESSION_BUS_ADDRESS=unix:path=${own}`;
    return finding(
      "It was not passed to this program, as under cron, su or some shells",
      command,
    );
  }
  if (variable("INVOCATION_ID") !== undefined) {
    return finding("A system service of systemd has no session", "systemctl --user status");
  }
  if (variable("SSH_CONNECTION") !== undefined) {
    return finding("ssh did not open a user session", "loginctl enable-linger");
  }
  return undefined;
}
