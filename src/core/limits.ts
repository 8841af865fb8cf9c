/** Longest reason of a rotation, in characters. Machines that share a secret store the reasons of a hundred versions. */
export const LONGEST_REASON = 1_000;

/** Longest name of a request, in characters. */
export const LONGEST_REQUEST_ID = 200;

/** How long a command waits by default for another command that changes the secret, in milliseconds. */
export const LOCK_TIMEOUT_MS = 10_000;
