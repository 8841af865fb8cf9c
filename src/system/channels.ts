/** Where the audit log may be sent, besides files. */
export interface Channels {
  /** The journal's socket, and that of syslog. */
  readonly journal: string;
  readonly syslog: string;
  /** The longest path of a socket, in bytes. */
  readonly longestPath: number;
  /** Loads what opens them. */
  load(): Promise<ChannelCalls>;
}

/** Writing to sockets and inherited descriptors without waiting, which the runtime's calls cannot do. */
export interface ChannelCalls {
  /** Connects to a Unix socket of datagrams, else of a stream. @throws {ChannelFault} if that is not possible. */
  connect(path: string): Channel;
  /** A descriptor of the process that started this one. @throws {ChannelFault} if there is none with this number. */
  inherited(descriptor: number): Channel;
}

/** One end of a socket or pipe, or an open file. */
export interface Channel extends Disposable {
  /** Whether each write is a message of its own, taken whole or not at all. */
  readonly keepsMessages: boolean;
  /**
   * Writes as much as there is room for.
   *
   * @returns how many bytes were taken; 0 while there is no room.
   * @throws {ChannelFault} when the other end is gone.
   */
  write(bytes: Uint8Array<ArrayBuffer>): number;
  /**
   * Whether the other end has read everything: what is still on the way is lost with it.
   *
   * @throws {ChannelFault} when the other end is gone, and may not have.
   */
  isRead(): boolean;
}

/** Why a channel cannot be used, in words that follow "Cannot use PATH: ". */
export class ChannelFault extends Error {}
