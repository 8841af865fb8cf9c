import { join } from "node:path";
import type { ReceivedRow, Receiver } from "./receiver.ts";
import { SocketDaemon } from "./receiver.ts";

/** How rekey reaches it: a stream socket, or one of datagrams as /dev/log is. */
type Input = "imptcp" | "imuxsock";

const INPUTS: Record<Input, (socket: string) => string> = {
  imptcp: (socket) =>
    `module(load="imptcp")
input(type="imptcp" path="${socket}" unlink="on")`,
  imuxsock: (socket) =>
    `module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="${socket}" UseSpecialParser="off" RateLimit.Interval="0" CreatePath="on")`,
};

/** A real rsyslogd that writes the structured data of each message as a line. */
export class Rsyslogd implements Receiver {
  readonly name = "syslog";
  readonly sink: string;
  readonly #daemon: SocketDaemon;

  private constructor(private readonly folder: string) {
    const socket = join(folder, "socket");
    this.sink = `syslog:${socket}`;
    const args = ["-n", "-f", join(folder, "rsyslog.conf"), "-i", join(folder, "pid")];
    this.#daemon = new SocketDaemon("/usr/sbin/rsyslogd", args, socket);
  }

  static async start(folder: string, input: Input = "imptcp"): Promise<Rsyslogd> {
    Deno.mkdirSync(folder, { recursive: true });
    const config = `global(workDirectory="${folder}" maxMessageSize="64k")
main_queue(queue.type="Direct")
${INPUTS[input](join(folder, "socket"))}
template(name="row" type="string" string="%msgid% %app-name% %structured-data% %msg%\\n")
action(type="omfile" file="${join(folder, "received")}" template="row")
`;
    Deno.writeTextFileSync(join(folder, "rsyslog.conf"), config);
    const rsyslogd = new Rsyslogd(folder);
    await rsyslogd.comeBack();
    return rsyslogd;
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

  /** What it has written, line by line. */
  lines(): string[] {
    try {
      const text = Deno.readTextFileSync(join(this.folder, "received"));
      return text.split("\n").filter((line) => line.includes("rekey@32473"));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }

  received(): Promise<ReceivedRow[]> {
    return Promise.resolve(
      this.lines().map((line) => {
        const value = (name: string) =>
          new RegExp(` ${name}="((?:[^"\\\\\\]]|\\\\.)*)"`).exec(line)?.[1]
            ?.replace(/\\(["\\\]])/g, "$1");
        return { seq: Number(value("seq")), hash: value("hash") ?? "", reason: value("reason") };
      }),
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#daemon[Symbol.asyncDispose]();
  }
}
