import { type AuditRow, eventName } from "../audit/events.ts";
import { printable } from "../core/encoding.ts";
import { FACILITY, fieldsOf, IDENTIFIER, messageOf, severityOf } from "./row_text.ts";

/** Name of the structured data. rekey has no enterprise number: this one is for examples (RFC 5612). */
const SD_ID = "rekey@32473";

/**
 * A row as a message of syslog with structured data (RFC 5424). Control characters are escaped: a receiver that writes
 * messages as lines must not be made to write another one.
 *
 * @param host name of this machine.
 */
export function syslogMessage(app: string, host: string, row: AuditRow): string {
  const priority = FACILITY * 8 + severityOf(row);
  const header = `<${priority}>1 ${row.time} ${token(host, 255)} ${IDENTIFIER} - ${
    token(eventName(row.event) ?? "-", 32)
  }`;
  const data = fieldsOf(app, row).map(([name, value]) => ` ${name}="${parameter(value)}"`);
  return `${header} [${SD_ID}${data.join("")}] ${messageOf(row)}`;
}

/** A message for a stream, with its length before it (RFC 6587 §3.4.1). */
export function counted(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const length = new TextEncoder().encode(`${message.length} `);
  const frame = new Uint8Array(length.length + message.length);
  frame.set(length);
  frame.set(message, length.length);
  return frame;
}

// §6: printable ASCII without spaces, or a hyphen.
function token(text: string, most: number): string {
  return /^[!-~]+$/.test(text) ? text.slice(0, most) : "-";
}

// §6.3.3.
function parameter(value: string): string {
  return printable(value).replace(/["\\\]]/g, "\\$&");
}
