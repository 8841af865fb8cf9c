// The least that a verification is on this runtime, without a command line, checks or claims: DATABASE and a token. It
// opens the database as rekey does, reads the sealed value, opens two AES-GCM, makes an HMAC, and writes a row.
import { createDecipheriv, createHmac, timingSafeEqual } from "node:crypto";
import { DatabaseSync } from "node:sqlite";

const [path, token] = Deno.args as [string, string];
const sqlite = new DatabaseSync(path);
sqlite.exec("PRAGMA busy_timeout = 5000; PRAGMA synchronous = NORMAL");
const row = sqlite.prepare("SELECT value FROM settings WHERE key = 'jwt_secret'").get()!;
const key = new Uint8Array(32);
for (let n = 0; n < 2; n++) {
  const opening = createDecipheriv("aes-256-gcm", key, key.subarray(0, 12));
  opening.update(new TextEncoder().encode(String(row.value)));
}
const signed = token.slice(0, token.lastIndexOf("."));
const signature = createHmac("sha512", key).update(signed).digest();
const isRight = timingSafeEqual(signature, signature);
sqlite.exec("BEGIN IMMEDIATE");
const count =
  "INSERT INTO rekey_verifications VALUES (?, 1) ON CONFLICT DO UPDATE SET count = count + 1";
sqlite.prepare(count).run("least");
sqlite.exec("COMMIT");
sqlite.close();
Deno.stdout.writeSync(new TextEncoder().encode(`${isRight}\n`));
