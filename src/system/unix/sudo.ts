import process from "node:process";
import type { Caller, ReadVariable } from "../caller.ts";

const ROOT = 0;

/**
 * The user who became root by `sudo` or `doas`. Other users' processes could have set the variable themselves, so only one
 * of root counts.
 */
export function callerBySudo(variable: ReadVariable): Caller {
  if (process.geteuid!() !== ROOT) return {};
  const sudo = variable("SUDO_USER") ?? variable("DOAS_USER");
  // From root to root says nothing.
  return sudo === undefined || sudo === "root" ? {} : { sudo };
}
