import type { Daemon } from "./daemon.ts";

/** A program in the foreground that verifies tokens in front of an application. */
export class GuardDaemon implements AsyncDisposable {
  constructor(readonly daemon: Daemon) {}

  get port(): number {
    return this.daemon.port;
  }

  /** All that it has logged. */
  logged(): string {
    return this.daemon.stderr;
  }

  stop(): Promise<void> {
    return this.daemon.stop();
  }

  restart(): Promise<void> {
    return this.daemon.restart();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
