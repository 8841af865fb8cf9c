/**
 * What each command of the binary opens, connects to and starts, with the reason of each. It is the list of
 * `docs/security.md`, and `tests/keyring/touches_test.ts` holds it against what strace sees.
 */
import { type CommandName, EVERY, WORKING } from "./commands.ts";
import { FILES } from "./files.ts";
import { KEYRING } from "./keyring.ts";
import { NAMED } from "./named.ts";
import type { Row } from "./row.ts";
import { SERVING } from "./serving.ts";
import { SYSTEM } from "./system.ts";

/** The table. */
export const ROWS: readonly Row[] = [...SYSTEM, ...FILES, ...KEYRING, ...NAMED, ...SERVING];

/** The items as `docs/security.md` has them. */
export function touchItems(): string[] {
  return ROWS.flatMap(({ what, how, database, keyring, why }) => {
    const [one, other] = [spelled(database), spelled(keyring)];
    const commands = one === other
      ? [`  - ${one}`]
      : [`  - database: ${one}`, `  - keyring: ${other}`];
    return [`- ${how} ${what}: ${why}`, ...commands];
  });
}

function spelled(commands: readonly CommandName[]): string {
  if (commands.length === 0) return "none";
  if (commands.length === EVERY.length) return "every command";
  if (commands.length === WORKING.length) {
    return `all but ${named(EVERY.filter((name) => !WORKING.includes(name)))}`;
  }
  return named(EVERY.filter((name) => commands.includes(name)));
}

function named(commands: readonly CommandName[]): string {
  return commands.map((name) => `\`${name}\``).join(", ");
}
