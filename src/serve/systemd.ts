/** What systemd asks of a service that it starts with `Type=notify` (sd_notify(3), sd_watchdog_enabled(3)). */
export interface Systemd {
  /** Says something, for example `READY=1`. */
  notify(state: string): Promise<void>;
  /** How often the watchdog wants a sign of life, in milliseconds; `undefined` when it does not. */
  readonly watchdogMs: number | undefined;
}

/**
 * @param env the environment's variables. Without `NOTIFY_SOCKET` nobody listens, and nothing is said.
 * @param onFailure told when a state cannot be said: the server goes on.
 */
export function systemd(
  env: (name: string) => string | undefined,
  pid: number,
  onFailure: (why: string) => void,
): Systemd {
  const path = env("NOTIFY_SOCKET");
  if (path === undefined) return { notify: () => Promise.resolve(), watchdogMs: undefined };
  const forUs = [undefined, String(pid)].includes(env("WATCHDOG_PID"));
  const microseconds = Number(env("WATCHDOG_USEC"));
  return {
    // A server is not to end because nobody could be told of it, as when there are no more files.
    notify: (state) =>
      within(SEND_MS, send(path, state)).catch((error) => onFailure(String(error))),
    // Half of what it waits, as the manual advises.
    watchdogMs: forUs && microseconds > 0 ? microseconds / 2_000 : undefined,
  };
}

async function send(path: string, state: string): Promise<void> {
  if (path.startsWith("@")) throw new Error("the runtime cannot name an abstract socket");
  // A datagram socket needs a name of its own, even if nobody answers.
  const own = Deno.makeTempFileSync({ prefix: "rekey-notify-" });
  Deno.removeSync(own);
  const socket = Deno.listenDatagram({ transport: "unixpacket", path: own });
  try {
    await socket.send(new TextEncoder().encode(state), { transport: "unixpacket", path });
  } finally {
    socket.close();
    Deno.removeSync(own);
  }
}

// What is not read in this time is not waited for: the server has other things to do.
const SEND_MS = 1_000;

async function within<T>(milliseconds: number, task: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("it does not read its socket")), milliseconds);
  });
  task.catch(() => {});
  return await Promise.race([task, deadline]).finally(() => clearTimeout(timer));
}
