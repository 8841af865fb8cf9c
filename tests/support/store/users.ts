import { randomBytes, scryptSync } from "node:crypto";
import { hashPassword } from "../../../src/users/passwords.ts";
import { PASSWORD } from "../http/logging_in.ts";
import type { Box } from "../process/box.ts";
import { query } from "./sql.ts";

/** A password that an older rekey wrote differently: its hash stays as it is when its user logs in. */
export const OLDER_PASSWORD = "correct horse \ufb01ne";

/** A user of an older rekey. @param cost log2 of scrypt's N: at 15 a login takes an eighth of a second of a processor. */
export function haveOlderUser(box: Box, name: string, cost: number): void {
  const salt = randomBytes(16);
  const options = { N: 2 ** cost, r: 8, p: 1, maxmem: 2 ** 28 };
  const hash = scryptSync(OLDER_PASSWORD.normalize("NFKC"), salt, 32, options);
  const [saltText, hashText] = [salt, hash].map((bytes) =>
    bytes.toString("base64").replace(/=+$/, "")
  );
  const stored = `$scrypt$ln=${cost},r=8,p=1$${saltText}$${hashText}`;
  query(box, "INSERT INTO rekey_users VALUES (?, ?, 1, 1, NULL)", name, stored);
}

// `rekey user add` takes half a second of a processor for a hash. The first login makes a usual one of this.
const CHEAP = { ln: 4, r: 8, p: 1 };

/** Writes users into the database of a box, as an older rekey with cheaper hashes left them. */
export async function haveUsers(
  box: Box,
  names: readonly string[],
  password = PASSWORD,
): Promise<void> {
  const now = Date.now();
  for (const name of names) {
    const hash = await hashPassword(password, CHEAP);
    query(box, "INSERT INTO rekey_users VALUES (?, ?, ?, ?, NULL)", name, hash, now, now);
  }
}
