import { Buffer } from "node:buffer";
import { HERE } from "../here.ts";

/** A text below `/proc`, which the runtime does not let a program read; `undefined` when there is none. */
export function processText(path: string): string | undefined {
  return HERE.streams.withDescriptor(path, (descriptor) => {
    const pieces: Uint8Array[] = [];
    for (;;) {
      const piece = HERE.streams.next(descriptor, 0);
      if (typeof piece === "string") return undefined;
      if (piece.length === 0) return Buffer.concat(pieces).toString("latin1");
      pieces.push(piece);
    }
  });
}
