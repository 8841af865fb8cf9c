/** The two parts of a compiled program. */
export interface Cut {
  /** The runtime, as it was before a program was put into it. */
  readonly denort: Uint8Array<ArrayBuffer>;
  /** The program as Deno embeds it. */
  readonly payload: Uint8Array<ArrayBuffer>;
}
