/**
 * Statements for a connection that writes. On macOS a commit and a checkpoint would have ended when they are in the
 * drive's own memory, and a power cut would take them; elsewhere there is one way to write to a disk, and these change
 * nothing.
 */
export const FULL_SYNC = "PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON";
