import { Buffer } from "node:buffer";
import type { AuditRow } from "../audit/events.ts";
import { FACILITY, fieldsOf, IDENTIFIER, messageOf, severityOf } from "./row_text.ts";

/**
 * A row in the journal's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): fields of their own, `REKEY_…`, beside
 * those that journalctl shows.
 */
export function journalEntry(app: string, row: AuditRow): Uint8Array<ArrayBuffer> {
  const fields: [string, string][] = [
    ["MESSAGE", messageOf(row)],
    ["PRIORITY", String(severityOf(row))],
    ["SYSLOG_IDENTIFIER", IDENTIFIER],
    ["SYSLOG_FACILITY", String(FACILITY)],
    ...fieldsOf(app, row).map(([name, value]): [string, string] => [
      `REKEY_${name.toUpperCase()}`,
      value,
    ]),
  ];
  return Uint8Array.from(Buffer.concat(fields.map(([name, value]) => field(name, value))));
}

// A value with a line feed has its length before it, or its rest would be a field.
function field(name: string, value: string): Buffer {
  if (!value.includes("\n")) return Buffer.from(`${name}=${value}\n`);
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(BigUint64Array.BYTES_PER_ELEMENT);
  length.writeBigUInt64LE(BigInt(bytes.length));
  return Buffer.concat([Buffer.from(`${name}\n`), length, bytes, Buffer.from("\n")]);
}
