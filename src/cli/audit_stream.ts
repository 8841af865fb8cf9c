import { asRefusal } from "../core/errors.ts";
import { numbered } from "../core/words.ts";
import type { SinkFacts } from "../stream/lag.ts";
import type { Context } from "./context.ts";
import { describeSeconds } from "./format.ts";

/** Sends the rows of a command to the sinks that it names. What fails is a warning: the command has done its work. */
export async function sendAudit({ secrets, output }: Pick<Context, "secrets" | "output">) {
  const { opened, environment: { auditTo } } = secrets;
  if (opened === undefined || auditTo === undefined) return;
  const [{ sendNow }, { streamWarning }] = await Promise.all([
    import("../stream/keeper.ts"),
    import("../serve/audit_stream.ts"),
  ]);
  try {
    const failures = await sendNow(opened);
    failures.forEach(({ message }) => output.warning(streamWarning(message)));
  } catch (error) {
    output.warning(streamWarning(asRefusal(error).message));
  }
}

/** How far a sink is, in a line. */
export function sinkText({ sink, lag_rows, lag_seconds, error }: SinkFacts): string {
  if (lag_rows === 0) return `${sink} has all rows`;
  const why = error === null ? "" : `; ${error}`;
  return `${sink} lacks ${numbered(lag_rows, "row")}, for ${describeSeconds(lag_seconds)}${why}`;
}
