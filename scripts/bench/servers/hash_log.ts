// The least that checking an audit log is on this runtime: DATABASE. It reads all rows as rekey does, in batches, and
// takes them into one HMAC-SHA-256, where rekey's chain needs one for each row.
import { createHmac } from "node:crypto";
import { DatabaseSync } from "node:sqlite";

const sqlite = new DatabaseSync(Deno.args[0]!, { readOnly: true });
const next = sqlite.prepare("SELECT * FROM rekey_audit WHERE seq > ? ORDER BY seq LIMIT 1000");
const hmac = createHmac("sha256", new Uint8Array(32));
for (let last = 0;;) {
  const rows = next.all(last);
  for (const row of rows) hmac.update(JSON.stringify(Object.values(row)));
  if (rows.length < 1000) break;
  last = Number(rows.at(-1)!.seq);
}
Deno.stdout.writeSync(new TextEncoder().encode(`${hmac.digest("hex")}\n`));
