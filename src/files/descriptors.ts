import { HERE } from "../system/here.ts";

/** How long the first bytes may take, and all that come after others, in milliseconds. */
export interface Patience {
  readonly first: number;
  readonly next: number;
}

/**
 * Reads a descriptor to its end, piece by piece.
 *
 * @returns `late` when nothing came in time, `failed` when the system refused.
 */
export function forEachPiece(
  descriptor: number,
  patience: Patience,
  take: (piece: Uint8Array) => void,
): "ended" | "late" | "failed" {
  for (let wait = patience.first;; wait = patience.next) {
    const piece = HERE.streams.next(descriptor, wait);
    if (typeof piece === "string") return piece;
    if (piece.length === 0) return "ended";
    take(piece);
  }
}
