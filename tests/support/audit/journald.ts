import { join } from "node:path";
import type { ReceivedRow, Receiver } from "./receiver.ts";
import { SocketDaemon } from "./receiver.ts";
import { run } from "../../../scripts/program.ts";

const NAMESPACE = "rekey";

// A journal of its own: a mount namespace hides the machine's journals and settings from it.
const BEFORE = `
set -e
mount --bind "$1/etc" /etc/systemd
mount --bind "$1/log" /var/log
exec /lib/systemd/systemd-journald ${NAMESPACE}
`;

const CONFIG = `[Journal]
Storage=persistent
RateLimitIntervalSec=0
ForwardToSyslog=no
ForwardToKMsg=no
ForwardToConsole=no
ForwardToWall=no
`;

/** A real systemd-journald, whose socket and files are in a folder. Needs root. */
export class Journald implements Receiver {
  readonly name = "journal";
  readonly sink: string;
  readonly #daemon: SocketDaemon;

  private constructor(private readonly folder: string) {
    const socket = join(folder, "run/socket");
    this.sink = `journal:${socket}`;
    const args = ["--mount", "/bin/sh", "-c", BEFORE, "sh", folder];
    this.#daemon = new SocketDaemon("/usr/bin/unshare", args, socket, {
      PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
      RUNTIME_DIRECTORY: join(folder, "run"),
    });
  }

  static async start(folder: string): Promise<Journald> {
    for (const name of ["etc", "log/journal", "run"]) {
      Deno.mkdirSync(join(folder, name), { recursive: true });
    }
    Deno.writeTextFileSync(join(folder, `etc/journald@${NAMESPACE}.conf`), CONFIG);
    const journald = new Journald(folder);
    await journald.comeBack();
    return journald;
  }

  hang(): void {
    this.#daemon.hang();
  }

  leave(): Promise<void> {
    return this.#daemon.stop();
  }

  comeBack(): Promise<void> {
    return this.#daemon.start();
  }

  async received(): Promise<ReceivedRow[]> {
    const entries = await this.entries();
    return entries.map(({ REKEY_SEQ, REKEY_HASH, REKEY_REASON }) => ({
      seq: Number(REKEY_SEQ),
      hash: String(REKEY_HASH),
      reason: textOf(REKEY_REASON),
    }));
  }

  /** Entries of rekey, field by field. */
  async entries(): Promise<Record<string, unknown>[]> {
    const args = ["--merge", "--output=json", "--all", "--quiet", "SYSLOG_IDENTIFIER=rekey"];
    const folders = [...Deno.readDirSync(join(this.folder, "log/journal"))]
      .map(({ name }) => join(this.folder, "log/journal", name));
    const files = folders.flatMap((folder) => ["--directory", folder]);
    const { code, stdout, stderr } = await run("/usr/bin/journalctl", [...files, ...args]);
    if (code !== 0) throw new Error(`journalctl: ${stderr}`);
    return stdout.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#daemon[Symbol.asyncDispose]();
  }
}

// journalctl prints a value with control characters as numbers.
function textOf(value: unknown): string | undefined {
  if (Array.isArray(value)) return new TextDecoder().decode(Uint8Array.from(value));
  return value === undefined ? undefined : String(value);
}
