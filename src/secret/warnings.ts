import type { Installation } from "../store/installation.ts";
import type { Changed } from "./rotation.ts";
import { isAtRisk, unsaved } from "./unsaved.ts";

/** What an operator should know when the keyring may not have saved the secret and there is no copy of it. */
export function warningsOfRisk(installation: Installation): string[] {
  if (!isAtRisk(installation)) return [];
  const { kind } = unsaved(installation)!;
  const who = kind === null || kind === "other" ? "the keyring's program" : kind;
  return [
    `${who} was not seen to save the secret, and --mirror off keeps no copy: ` +
    "it would be lost if that program ended now",
  ];
}

/** What an operator should know of a change that stands nevertheless. */
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
        : "the keyring could not be brought up to date; the next command that reaches it does it",
    );
  }
  return warnings;
}
