import process from "node:process";
import type { Caller, ReadVariable } from "../caller.ts";

const ROOT = 0;

/**
 * The users who became root by `sudo` and by `doas`. Other users' processes could have set the variables themselves, so only
 * those of root count. Each program sets its own and may keep the other one as its caller has set it, so each is named.
 */
export function callerBySudo(variable: ReadVariable): Caller {
  if (process.geteuid!() !== ROOT) return {};
  return { sudo: userIn(variable("SUDO_USER")), doas: userIn(variable("DOAS_USER")) };
}

// From root to root says nothing.
function userIn(value: string | undefined): string | undefined {
  return value === "root" ? undefined : value;
}
