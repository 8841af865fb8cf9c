/**
 * `deno task audit-stream [ROWS]`: journald, rsyslogd and a file receive rows of the audit log while each is taken away 20
 * times and rekey is killed 50 times. As root on Linux.
 */
import { drill } from "../tests/support/audit/drill.ts";

const [rows = 10_000] = Deno.args.map(Number);
const print = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
const [outages, kills] = [20, 50];
const began = performance.now();
const results = await drill({ rows, outages, kills, rowsPerSecond: 150 });
for (const { receiver, rows, duplicates } of results) {
  print(`${receiver}: ${rows} rows, none lost, none out of order, ${duplicates} twice`);
}
const seconds = Math.round((performance.now() - began) / 1000);
print(`${outages} outages of each, ${kills} kills of rekey, ${seconds} s`);
