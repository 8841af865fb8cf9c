/** What differs for a server. */
export interface Serving {
  /** Whether it can listen on Unix sockets. */
  readonly hasUnixSockets: boolean;
  /** Whether several threads can listen on one port, each for its share of the connections. */
  readonly sharesPorts: boolean;
  /**
   * Keeps the memory of a process that holds secrets for long to itself.
   *
   * @returns whether it could be done.
   */
  disableCoreDumps(): boolean;
  /** The same, without anything that the programs would inherit that this process starts. */
  setNotDumpable(): boolean;
  /**
   * Lets the process have as many open files as it may at most. Shells and systemd start programs with 1,024, launchd
   * with 256, for the sake of those that use select(2); a server needs one for every connection.
   */
  raiseFileLimit(): void;
  /** The sockets of this process, in all of its threads, that listen on a TCP port; none where that is not needed. */
  listeningSockets(port: number): number[];
  /** Makes sockets stop listening. The connections that came in on them stay open. */
  stopListening(sockets: readonly number[]): void;
}

/** A server where the system has nothing of all this. */
export const plainServing: Serving = {
  hasUnixSockets: false,
  sharesPorts: false,
  disableCoreDumps: () => false,
  setNotDumpable: () => false,
  raiseFileLimit() {},
  listeningSockets: () => [],
  stopListening() {},
};
