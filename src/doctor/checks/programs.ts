import { rfc3339 } from "../../core/clock.ts";
import { holdersOf, isStale, type StaleHolder } from "../../secret/holders.ts";
import { type Finding, NOT_USED, type NotUsed } from "../finding.ts";
import type { OpenDoctorContext } from "../context.ts";

/** Programs that `exec` started and that still hold a version which a rotation has replaced. */
export function programsCheck({ installation }: OpenDoctorContext): Finding[] | NotUsed {
  const holders = holdersOf(installation);
  return holders.length === 0 ? NOT_USED : holders.filter(isStale).map(finding);
}

function finding({ pid, program, version, since, state, until }: StaleHolder): Finding {
  const held = version === null ? "a version that is not known here" : `version ${version}`;
  const ended = state === "ended";
  return {
    code: ended ? "exec_ended" : "exec_grace",
    what: ended
      ? `${program} (PID ${pid}) still holds ${held}, which no longer verifies`
      : `${program} (PID ${pid}) still holds ${held}, which verifies until ${rfc3339(until!)}`,
    why:
      `\`rekey exec\` started it at ${rfc3339(since)}; it signs and verifies with the old secret ` +
      "until it is restarted. `exec --on-rotate restart` does that by itself",
    // Which program looks after it only its operator knows.
    command: `# restart PID ${pid} (${program})`,
  };
}
