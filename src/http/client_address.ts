import { addressIn } from "./host_names.ts";
import type { Call } from "./route.ts";

/**
 * The client's IP address: with `--trust-forwarded` the last entry of `X-Forwarded-For`, if it is an address, in
 * canonical form; else the peer's. Our own proxy wrote that entry, and anyone can write the others.
 *
 * @returns `undefined` on a Unix socket whose proxy names none.
 */
export function clientAddress(
  { request, address, trustForwarded }: Pick<Call, "request" | "address" | "trustForwarded">,
): string | undefined {
  const forwarded = trustForwarded ? request.headers.get("x-forwarded-for") : null;
  const last = forwarded?.split(",").at(-1)?.trim();
  return addressIn(last ?? "") ?? address;
}
