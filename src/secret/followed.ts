import { RekeyError } from "../core/errors.ts";
import type { Changed } from "./backend.ts";

// A change has taken effect; what could not follow it at once does so later.

/** Whether this machine's database has a rotation, if it was made in etcd. */
export function isFollowed({ published, version }: Changed): boolean {
  return published || version.location !== "etcd";
}

/** @throws {RekeyError} `check_failed` when the change stands and this machine has not followed it. */
export function mustBeFollowed(followed: boolean): void {
  if (followed) return;
  throw new RekeyError(
    "check_failed",
    "Cannot take over the change from etcd: the change itself was made",
    {
      hint: "`rekey status` takes it over, or shows why it cannot; servers on this machine stop " +
        "accepting tokens when they have not followed etcd for their --max-staleness",
    },
  );
}

/** Warnings about a rotation that took effect. */
export function warningsOf(
  { version, published, logWhole }: Pick<Changed, "version" | "published" | "logWhole">,
): string[] {
  const warnings: string[] = [];
  if (!logWhole) {
    warnings.push(
      "the audit log no longer holds the head that the keyring kept: it was cut off or put back; " +
        "`rekey audit list --event storage` shows which",
    );
  }
  if (!published) {
    warnings.push(
      version.location === "etcd"
        ? "this machine could not take it over from etcd; the next command does it"
        : "the keyring could not be updated; the next command that reaches it does so",
    );
  }
  return warnings;
}
