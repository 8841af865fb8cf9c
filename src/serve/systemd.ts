import { sendDatagram } from "../system/linux/unix_socket.ts";

/** What systemd asks of a service that it starts with `Type=notify` (sd_notify(3), sd_watchdog_enabled(3)). */
export interface Systemd {
  /** Says something, for example `READY=1`. */
  notify(state: string): void;
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
  if (path === undefined) return { notify: () => {}, watchdogMs: undefined };
  const forUs = [undefined, String(pid)].includes(env("WATCHDOG_PID"));
  const microseconds = Number(env("WATCHDOG_USEC"));
  return {
    // A server is not to end because nobody could be told of it, as when there are no more files.
    notify(state) {
      try {
        send(path, state);
      } catch (error) {
        onFailure(String(error));
      }
    },
    // Half of what it waits, as the manual advises.
    watchdogMs: forUs && microseconds > 0 ? microseconds / 2_000 : undefined,
  };
}

// A first `@` stands for the zero byte of an abstract name.
function send(socket: string, state: string): void {
  if (!sendDatagram(socket.replace(/^@/, "\0"), state)) throw new Error("nobody takes it");
}
