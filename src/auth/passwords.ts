import { Buffer } from "node:buffer";
import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { RekeyError } from "../core/errors.ts";

// As OWASP advises for passwords: 128 MiB, about half a second on one core.
const PARAMETERS = { ln: 17, r: 8, p: 1 };
const MAX_MEMORY = 256 * 2 ** 20;
const HASH_BYTES = 32;
const SALT_BYTES = 16;

// What scrypt takes of a longer one is the same work, but somebody has to read it first.
const LONGEST = 1_024;
const SHORTEST = 8;

const PHC = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

interface Parameters {
  /** log2 of scrypt's N. */
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

/**
 * The hash of a password, to be stored: scrypt (RFC 7914) with a salt of its own, in the PHC string format,
 * which names its parameters.
 *
 * @throws {RekeyError} `usage` when it is too short or too long.
 */
export async function hashPassword(password: string): Promise<string> {
  const length = [...password].length;
  if (length < SHORTEST || length > LONGEST) {
    throw new RekeyError(
      "usage",
      `Cannot use the password: it has ${length} characters`,
      { hint: `Choose one of ${SHORTEST} to ${LONGEST} characters` },
    );
  }
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, salt, PARAMETERS, HASH_BYTES);
  const { ln, r, p } = PARAMETERS;
  return `$scrypt$ln=${ln},r=${r},p=${p}$${unpadded(salt)}$${unpadded(hash)}`;
}

/** How a password compares with a stored hash. */
export interface PasswordVerdict {
  readonly right: boolean;
  /** Whether the stored hash was made with other parameters than those of today. */
  readonly outdated: boolean;
}

/**
 * Compares a password with a stored hash in constant time. Without a stored hash (an unknown user) it takes as long
 * and answers no, so that the time does not tell who has an account.
 *
 * @throws {RekeyError} `database_damaged` when the stored hash is none.
 */
export async function verifyPassword(
  password: string,
  stored: string | undefined,
): Promise<PasswordVerdict> {
  const known = stored === undefined ? nobody() : parse(stored);
  const tried = [...password].length > LONGEST ? "" : password;
  const hash = await derive(tried, known.salt, known, known.hash.length);
  const right = timingSafeEqual(hash, known.hash) && stored !== undefined && tried === password;
  const { ln, r, p } = PARAMETERS;
  return { right, outdated: known.ln !== ln || known.r !== r || known.p !== p };
}

// Made when it is needed: the first random bytes of a process take it a third of a millisecond.
function nobody() {
  return { ...PARAMETERS, salt: randomBytes(SALT_BYTES), hash: randomBytes(HASH_BYTES) };
}

function parse(stored: string): Parameters & { salt: Buffer; hash: Buffer } {
  const [, ln, r, p, salt, hash] = PHC.exec(stored) ?? [];
  const parameters = { ln: Number(ln), r: Number(r), p: Number(p) };
  // Others need more memory than there may be: somebody has changed the row.
  const bounded = 128 * parameters.r * 2 ** parameters.ln <= MAX_MEMORY / 2 && parameters.p <= 4;
  if (salt !== undefined && hash !== undefined && bounded && parameters.ln > 0) {
    return { ...parameters, salt: Buffer.from(salt, "base64"), hash: Buffer.from(hash, "base64") };
  }
  throw new RekeyError(
    "database_damaged",
    "Cannot check the password: its stored hash is damaged",
    {
      hint: "Set a new one with `rekey user passwd`",
    },
  );
}

function derive(password: string, salt: Uint8Array, { ln, r, p }: Parameters, length: number) {
  const options = { N: 2 ** ln, r, p, maxmem: MAX_MEMORY };
  // Equal characters may be typed as different code points.
  const bytes = new TextEncoder().encode(password.normalize("NFKC"));
  return new Promise<Buffer>((resolve, reject) => {
    scrypt(bytes, salt, length, options, (error, key) => {
      bytes.fill(0);
      if (error) reject(error);
      else resolve(key as Buffer);
    });
  });
}

function unpadded(bytes: Buffer): string {
  return bytes.toString("base64").replace(/=+$/, "");
}
