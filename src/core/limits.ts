/** Longest reason of a rotation, in characters. Machines that share a secret store the reasons of a hundred versions. */
export const LONGEST_REASON = 1_000;

/** Smallest size of a generated secret, in bytes: HS256 needs it (RFC 7518 §3.2). */
export const LEAST_BYTES = 32;

/** Largest size of a generated secret, in bytes: as hex it fits into each keyring. */
export const MOST_BYTES = 256;

/** Longest name of a request, in characters. */
export const LONGEST_REQUEST_ID = 200;

/** How long a command waits by default for another command that changes the secret, in milliseconds. */
export const LOCK_TIMEOUT_MS = 10_000;
