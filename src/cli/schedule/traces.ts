import { homedir, userInfo } from "node:os";
import { dirname } from "node:path";
import type { SetUpSchedule } from "../../doctor/findings.ts";
import type { Environment } from "../../store/environment.ts";
import { infoOf } from "../../system/files.ts";
import { SYSTEM } from "../../system/system.ts";
import { variable } from "../context.ts";
import { jobName, watchName } from "./plan.ts";

/** The folder of a user's settings: systemd's are below it. */
export function configFolder({ folders }: Environment, home: string): string {
  return folders.config === undefined ? `${home}/.config` : dirname(folders.config);
}

/**
 * The schedules of this app that run by themselves, as far as files show: systemd's links to what is enabled, and
 * launchd's jobs. Those of cron and Windows are not seen: only programs tell.
 */
export function setUpSchedules(environment: Environment): SetUpSchedule[] {
  return places(environment).filter(({ rotates }) => isThere(rotates))
    .map(({ watches, command }) => ({ isWatched: isThere(watches), command }));
}

/** Files that are there once a schedule is set up: of its rotation, and of what keeps deliveries up to date. */
interface Traces {
  readonly rotates: string;
  readonly watches: string;
  readonly command: string;
}

function places(environment: Environment): Traces[] {
  const { app, folders } = environment;
  const named = { app: app.name, dataDir: folders.dataNamed ? folders.data : undefined };
  const [rotate, deliver] = [jobName(named), watchName(named)];
  const home = variable("HOME") ?? homedir();
  if (SYSTEM.schedule === "launchd") {
    return [`${home}/Library/LaunchAgents`, "/Library/LaunchDaemons"].map((folder) => ({
      rotates: `${folder}/${rotate}.plist`,
      watches: `${folder}/${deliver}.plist`,
      command: "schedule launchd",
    }));
  }
  if (SYSTEM.os !== "linux") return [];
  const systemd = (folder: string, target: string, of: string) => ({
    rotates: `${folder}/timers.target.wants/${rotate}.timer`,
    watches: `${folder}/${target}.target.wants/${deliver}.service`,
    command: `schedule systemd --${of} --install`,
  });
  const users = `${configFolder(environment, home)}/systemd/user`;
  const systems = "/etc/systemd/system";
  return [
    systemd(users, "default", "user"),
    ...isOurs(`${systems}/${rotate}.service`) ? [systemd(systems, "multi-user", "system")] : [],
  ];
}

// A unit of the system may be about another user's secret.
function isOurs(path: string): boolean {
  try {
    return Deno.readTextFileSync(path).split("\n").includes(`User=${userInfo().username}`);
  } catch {
    return false;
  }
}

function isThere(path: string): boolean {
  try {
    return infoOf(path) !== undefined;
  } catch {
    // Another user's folder.
    return false;
  }
}
