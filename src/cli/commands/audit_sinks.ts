import { EVENTS } from "../../audit/events.ts";
import { AuditSinks } from "../../audit/sinks.ts";
import { quoted, usageError } from "../../core/errors.ts";
import { type SinkFacts, sinkFacts } from "../../stream/lag.ts";
import type { Context } from "../context.ts";
import { printable } from "../format.ts";
import { sinkText } from "../audit_stream.ts";

/** Flags of `rekey audit sinks`. */
export interface AuditSinksFlags {
  readonly remove?: readonly string[];
}

/** Shows where the audit log is sent, and how far each sink is; `--remove`: uses some no longer. */
export async function auditSinks({ remove = [] }: AuditSinksFlags, { secrets, output }: Context) {
  const { installation } = await secrets.open();
  const { auditTo = [] } = installation.environment;
  const sinks = new AuditSinks(installation.database);
  for (const name of remove) {
    if (auditTo.includes(name)) throw stillNamed(name);
    if (sinks.find(name) === undefined) throw unknown(name);
  }
  if (remove.length > 0) {
    const audit = await installation.audit();
    installation.database.transaction(() => {
      for (const name of remove) {
        if (sinks.remove(name)) audit.append({ event: EVENTS.sinkRemoved, reason: name });
      }
    });
  }
  const facts = sinkFacts(installation);
  if (output.options.json) return facts.forEach((one) => output.line(one));
  output.result(
    {},
    facts.length === 0 ? ["The audit log is sent nowhere: see --audit-to"] : facts.map(line),
  );
}

const line = (facts: SinkFacts) => printable(sinkText(facts));

function stillNamed(name: string) {
  return usageError(
    `Cannot remove ${quoted(name)}: --audit-to or REKEY_AUDIT_TO names it`,
    "Take it out there, and where `rekey serve` is started, first: whoever names it adds it again",
  );
}

function unknown(name: string) {
  return usageError(
    `Cannot remove ${quoted(name)}: the audit log is not sent there`,
    "Write it as `rekey audit sinks` shows it",
  );
}
