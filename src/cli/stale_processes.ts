import { rfc3339 } from "../core/clock.ts";
import { forgetGoneHolders, type StaleHolder, staleHolders } from "../secret/holders.ts";
import type { SecretManager } from "../secret/manager.ts";
import { printable } from "./format.ts";
import type { Output } from "./output.ts";

// `rekey status` lists all.
const MOST_NAMED = 20;

/** Processes started by `exec` that hold a retired version or one in its grace window. */
export async function staleProcesses(secrets: SecretManager): Promise<StaleHolder[]> {
  const { installation } = await secrets.open();
  const holders = staleHolders(installation);
  forgetGoneHolders(installation);
  return holders;
}

/** One process, for people. */
export function holderText({ pid, program, version, since, state, until }: StaleHolder): string {
  const held = version === null ? "a version unknown to this machine" : `version ${version}`;
  const end = state === "grace" ? `verifies until ${rfc3339(until!)}` : "no longer verifies";
  return `${printable(program)} (PID ${pid}) has held ${held}, which ${end}, since ${
    rfc3339(since)
  }`;
}

/** Warns of programs that must be restarted. */
export function warnOfHolders(holders: readonly StaleHolder[], output: Output): void {
  for (const holder of holders.slice(0, MOST_NAMED)) {
    const when = holder.state === "grace" ? "restart it before then" : "restart it";
    output.warning(`${holderText(holder)}: ${when}`);
  }
  const more = holders.length - MOST_NAMED;
  if (more > 0) output.warning(`${more} more processes hold such a version: \`rekey status\``);
}
