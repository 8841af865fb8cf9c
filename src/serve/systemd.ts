import { sendDatagram } from "../system/linux/unix_sockets.ts";

/** The service side of systemd's `Type=notify` and `WatchdogSec=` (sd_notify(3), sd_watchdog_enabled(3)). */
export interface Systemd {
  /** Sends a state, for example `READY=1`. */
  notify(state: string): void;
  /** How often to notify the watchdog, in milliseconds; `undefined`: there is no watchdog. */
  readonly watchdogMs: number | undefined;
}

/**
 * @param env reads an environment variable. Without `NOTIFY_SOCKET`, no state is sent.
 * @param onFailure called when a state cannot be sent; the server goes on.
 */
export function systemd(
  env: (name: string) => string | undefined,
  pid: number,
  onFailure: (why: string) => void,
): Systemd {
  const path = env("NOTIFY_SOCKET");
  if (path === undefined) return { notify: () => {}, watchdogMs: undefined };
  // A leading `@` stands for the zero byte of an abstract socket name.
  const socket = path.replace(/^@/, "\0");
  const isOurs = [undefined, String(pid)].includes(env("WATCHDOG_PID"));
  const microseconds = Number(env("WATCHDOG_USEC"));
  return {
    // Sending may fail for a while, for example for lack of file descriptors. That must not end the server.
    notify(state) {
      try {
        if (!sendDatagram(socket, state)) onFailure("its socket does not take the message");
      } catch (error) {
        onFailure(String(error));
      }
    },
    // Half of its timeout, as sd_watchdog_enabled(3) recommends.
    watchdogMs: isOurs && microseconds > 0 ? microseconds / 2_000 : undefined,
  };
}
