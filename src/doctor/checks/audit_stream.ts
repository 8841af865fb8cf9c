import { numbered } from "../../core/words.ts";
import { type SinkFacts, sinkFacts } from "../../stream/lag.ts";
import {
  type Finding,
  NOT_USED,
  type NotUsed,
  type OpenDoctorContext,
  rekey,
  shellWord,
} from "../findings.ts";

// A command that does not name the sink leaves its rows to the next one that does, or to a server.
const LATE_SECONDS = 60;

/** Sinks of the audit log that have not had rows for a while, or have failed. */
export function auditStreamCheck(context: OpenDoctorContext): Finding[] | NotUsed {
  const facts = sinkFacts(context.installation);
  if (facts.length === 0) return NOT_USED;
  return facts.filter(({ lag_rows, lag_seconds, error }) =>
    lag_rows > 0 && (error !== null || lag_seconds > LATE_SECONDS)
  ).map((one) => waiting(context, one));
}

function waiting(context: OpenDoctorContext, { sink, lag_rows, error }: SinkFacts): Finding {
  const rows = numbered(lag_rows, "row");
  const remove = rekey(context, `audit sinks --remove ${shellWord(sink)}`);
  const send = rekey(context, `--audit-to ${shellWord(sink)} status`);
  return {
    code: "audit_unsent",
    what: `${sink} has not had ${rows} of the audit log${error === null ? "" : `: ${error}`}`,
    why: error === null
      ? "No command has named it since, and no server sends to it"
      : "They are kept until it works again, and none of them can be pruned",
    command: error === null ? send : `# see to it, or use it no longer: ${remove}`,
  };
}
