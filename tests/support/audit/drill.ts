import assert from "node:assert/strict";
import { join } from "node:path";
import { start } from "../../../scripts/program.ts";
import { Box, REKEY } from "../process/box.ts";
import { query } from "../store/sql.ts";
import { pause, until } from "../timing/pause.ts";
import { Journald } from "./journald.ts";
import { MovedFile } from "./moved_file.ts";
import type { ReceivedRow, Receiver } from "./receiver.ts";
import { Rsyslogd } from "./rsyslogd.ts";

/** How much is done. */
export interface DrillOptions {
  readonly rows: number;
  /** Of each receiver. */
  readonly outages: number;
  /** Of rekey, while it sends. */
  readonly kills: number;
  readonly rowsPerSecond: number;
  onProgress?(line: string): void;
}

/** What a receiver has got. */
export interface DrillResult {
  readonly receiver: string;
  readonly rows: number;
  readonly duplicates: number;
  readonly outages: number;
}

const FEEDER = new URL("feeder.ts", import.meta.url).href;

/**
 * Writes rows while a journald, an rsyslogd and a file are taken away and rekey is killed, and checks that each has got
 * every row, in order.
 *
 * @throws when a row is lost, changed, or out of order.
 */
export async function drill(options: DrillOptions): Promise<DrillResult[]> {
  using box = new Box();
  await using journald = await Journald.start(join(box.home, "journal"));
  await using rsyslogd = await Rsyslogd.start(join(box.home, "syslog"));
  const receivers = [journald, rsyslogd, new MovedFile(join(box.home, "file"))];
  const REKEY_AUDIT_TO = receivers.map(({ sink }) => sink).join();
  assert.equal((await box.run(["init"], { env: { REKEY_AUDIT_TO } })).code, 0);

  const feeding = feed(box, options);
  const sending = new Sending(box, REKEY_AUDIT_TO);
  const disturbed = Promise.all(
    receivers.map((one) => disturb(box, one, options.outages, feeding)),
  );
  await sending.killed(options, feeding.progress);
  await Promise.all([disturbed, feeding.ended]);
  await until(() => lag(box) === 0, { every: 100, otherwise: () => JSON.stringify(sinks(box)) });
  await sending.stop();
  const written = query(box, "SELECT seq, hash, reason FROM rekey_audit ORDER BY seq");
  return await Promise.all(receivers.map(async (receiver) => ({
    receiver: receiver.name,
    outages: options.outages,
    ...compared(receiver.name, await receiver.received(), written as ReceivedRow[]),
  })));
}

interface Feeding {
  readonly ended: Promise<void>;
  /** The share that is written, 0 to 1. */
  progress(): number;
}

function feed(box: Box, { rows, rowsPerSecond, onProgress = () => {} }: DrillOptions): Feeding {
  const flags = ["run", "--allow-all", "--no-check", "--quiet"];
  const args = [...flags, FEEDER, box.home, String(rows), String(rowsPerSecond)];
  const feeder = start(Deno.execPath(), args, { stderr: "inherit" });
  const count = () => Number(query(box, "SELECT max(seq) AS n FROM rekey_audit")[0]?.n);
  return {
    ended: feeder.status.then(({ success }) => assert.ok(success, "the feeder has failed")),
    progress() {
      onProgress(`${count()} rows`);
      return count() / rows;
    },
  };
}

/** Takes a receiver away at even distances, for as long as it is there. */
async function disturb(
  box: Box,
  receiver: Receiver,
  outages: number,
  { progress }: Feeding,
): Promise<void> {
  for (let outage = 1; outage <= outages; outage++) {
    await until(() => progress() >= (outage - 0.5) / outages, { every: 50 });
    if (outage % 2 === 1 && receiver.hang !== undefined) {
      receiver.hang();
      // Some rows are in its queue then, and the sender has given up. Without rows to come it never does.
      await until(() => hasGivenUp(box, receiver) || progress() >= 1, { every: 50 });
    }
    await receiver.leave();
    await until(() => progress() >= outage / outages, { every: 50 });
    await receiver.comeBack();
  }
}

/** rekey, as it sends: a server, or commands one after the other. */
class Sending {
  #process: Deno.ChildProcess | undefined;
  #stopped = false;
  #kills = 0;

  constructor(private readonly box: Box, private readonly sinks: string) {
    this.#start();
  }

  /** Kills it at even distances, wherever it is. */
  async killed({ kills }: DrillOptions, progress: () => number): Promise<void> {
    for (; this.#kills < kills; this.#kills++) {
      const isTime = () => progress() >= this.#kills / kills;
      await until(isTime, { every: 50 });
      // Somewhere in its start, or while it sends.
      await pause(this.#kills * 37 % 500);
      await this.stop("SIGKILL");
      this.#stopped = false;
      this.#start();
    }
  }

  async stop(signal: Deno.Signal = "SIGTERM"): Promise<void> {
    this.#stopped = true;
    const process = this.#process;
    try {
      process?.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
    }
    await process?.status;
  }

  // Every third time a command, which ends by itself and is followed by a server.
  #start(): void {
    const args = this.#kills % 3 === 2 ? ["status"] : ["serve", "--listen", "127.0.0.1:0"];
    const env = { REKEY_AUDIT_TO: this.sinks };
    const process = start(REKEY, args, this.box.surroundings({ env }));
    this.#process = process;
    if (args[0] !== "status") return;
    process.status.then(() => {
      if (this.#stopped || this.#process !== process) return;
      const serve = ["serve", "--listen", "127.0.0.1:0"];
      this.#process = start(REKEY, serve, this.box.surroundings({ env }));
    });
  }
}

function sinks(box: Box) {
  return query(box, "SELECT * FROM rekey_audit_sinks");
}

function hasGivenUp(box: Box, { sink }: Receiver): boolean {
  return query(box, "SELECT error FROM rekey_audit_sinks WHERE sink = ?", sink)[0]?.error != null;
}

function lag(box: Box): number {
  const row = query(
    box,
    "SELECT max((SELECT max(seq) FROM rekey_audit) - seq) AS lag FROM rekey_audit_sinks",
  )[0];
  return Number(row?.lag);
}

/** What has come twice is told by its number, and is the same. The first of each must be there, and in order. */
function compared(name: string, received: readonly ReceivedRow[], written: readonly ReceivedRow[]) {
  const bySeq = new Map(written.map((row) => [row.seq, row]));
  let last = 0;
  for (const { seq, hash, reason } of received) {
    const row = bySeq.get(seq);
    assert.ok(row !== undefined, `${name} has a row ${seq} that was never written`);
    assert.equal(hash, row.hash, `${name}: row ${seq} is another one`);
    // In syslog control characters are escaped.
    const escaped = row.reason?.replaceAll("\n", "\\u{a}");
    const isSame = [row.reason ?? undefined, escaped].includes(reason ?? undefined);
    assert.ok(isSame, `${name}: row ${seq} has the reason ${reason}`);
    if (seq <= last) continue;
    assert.equal(seq, last + 1, `${name} has row ${seq} after row ${last}`);
    last = seq;
  }
  assert.equal(last, written.at(-1)!.seq, `${name} lacks the last rows`);
  return { rows: written.length, duplicates: received.length - written.length };
}
