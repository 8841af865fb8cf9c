import { Buffer } from "node:buffer";
import { compactDecrypt } from "jose";
import type { Box } from "../process/box.ts";
import { queryRow } from "./sql.ts";

/** A row of the `settings` table. */
export interface SettingsRow {
  readonly value: string;
  readonly encrypted: number;
}

/**
 * Opens the sealed secret as anyone can who has the database, the key file and a JOSE library, but
 * no rekey.
 */
export async function openSealed(box: Box): Promise<{ value: string; row: SettingsRow }> {
  const row = queryRow(box, "SELECT value, encrypted FROM settings WHERE key = 'jwt_secret'");
  const keyFile = [...box.files().entries()].find(([path]) => path.endsWith(".kek"));
  if (row === undefined || keyFile === undefined) throw new Error("No sealed secret");
  const kek = Buffer.from(new TextDecoder().decode(keyFile[1]).trim(), "base64url");
  const { plaintext } = await compactDecrypt(String(row.value), new Uint8Array(kek));
  return { value: new TextDecoder().decode(plaintext), row: row as unknown as SettingsRow };
}
