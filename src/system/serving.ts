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
  confineMemory(): boolean;
  /** The same for a process whose children are none of ours to limit: they inherit nothing of it. */
  hideMemory(): boolean;
  /** The sockets of this process, in all of its threads, that listen on a TCP port; none where that is not needed. */
  listeningSockets(port: number): number[];
  /** Lets sockets listen no more. The connections that came in on them stay as they are. */
  stopListening(sockets: readonly number[]): void;
}

/** Where the system has nothing of all this. */
export const plainServing: Serving = {
  hasUnixSockets: false,
  sharesPorts: false,
  confineMemory: () => false,
  hideMemory: () => false,
  listeningSockets: () => [],
  stopListening() {},
};
