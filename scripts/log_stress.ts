/**
 * `deno task log-stress [SECONDS [PROCESSES]]`: concurrent processes write, read and copy a database and truncate its log.
 * Then it must contain all commits and be intact.
 */
import { sqliteVersion } from "../src/store/sqlite/node_sqlite.ts";
import { stressLog } from "../tests/support/faults/log_stress.ts";

const [seconds = 180, processes = 30] = Deno.args.map(Number);
const folder = Deno.makeTempDirSync({ prefix: "rekey-test-" });
try {
  const { commits, emptied, prevented, reads } = await stressLog(folder, processes, seconds);
  const line =
    `SQLite ${sqliteVersion()}, ${processes} processes, ${seconds} s: ${commits} commits, ` +
    `${reads} reads and copies, log emptied ${emptied} times (prevented ${prevented}); sound, nothing lost\n`;
  Deno.stdout.writeSync(new TextEncoder().encode(line));
} finally {
  Deno.removeSync(folder, { recursive: true });
}
