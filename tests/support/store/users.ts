import { hashPassword } from "../../../src/users/passwords.ts";
import { PASSWORD } from "../http/logging_in.ts";
import type { Box } from "../process/box.ts";
import { query } from "./sql.ts";

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
