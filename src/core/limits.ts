/** How many characters a reason can have: all machines that share a secret keep those of the last hundred versions. */
export const LONGEST_REASON = 1_000;

/** How many characters the name of a request can have. */
export const LONGEST_REQUEST_ID = 200;

/** How long a command waits by default for another one that changes the secret, in milliseconds. */
export const LOCK_TIMEOUT_MS = 10_000;
