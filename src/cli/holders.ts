import { rfc3339 } from "../core/clock.ts";
import { forgetGoneHolders, type StaleHolder, staleHolders } from "../secret/holders.ts";
import type { SecretManager } from "../secret/manager.ts";
import { printable } from "./describe.ts";
import type { Output } from "./output.ts";

// A machine with more of them has a service manager that lists them.
const MOST_NAMED = 20;

/** Processes that `exec` started and that hold a version which has ended, or will; for a command that ends soon. */
export async function staleProcesses(secrets: SecretManager): Promise<StaleHolder[]> {
  const { installation } = await secrets.open();
  const holders = staleHolders(installation);
  forgetGoneHolders(installation);
  return holders;
}

/** One process, for people. */
export function holderText({ pid, program, version, since, state, until }: StaleHolder): string {
  const held = version === null ? "a version that is not known here" : `version ${version}`;
  const end = state === "grace" ? `verifies until ${rfc3339(until!)}` : "no longer verifies";
  return `${printable(program)} (PID ${pid}) has held ${held}, which ${end}, since ${
    rfc3339(since)
  }`;
}

/** Says which programs are to be started again. */
export function warnOfHolders(holders: readonly StaleHolder[], output: Output): void {
  for (const holder of holders.slice(0, MOST_NAMED)) {
    const when = holder.state === "grace" ? "restart it before then" : "restart it";
    output.warning(`${holderText(holder)}: ${when}`);
  }
  const more = holders.length - MOST_NAMED;
  if (more > 0) output.warning(`${more} more processes hold such a version: \`rekey status\``);
}
