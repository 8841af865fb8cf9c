import { Buffer } from "node:buffer";
import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { RekeyError, usageError } from "../core/errors.ts";
import { isUsablePassword, preparedPassword } from "./names.ts";

const MAX_MEMORY = 256 * 2 ** 20;
const HASH_BYTES = 32;
const SALT_BYTES = 16;

// In characters. The upper limit bounds the input that is read and normalised.
const LONGEST = 1_024;
const SHORTEST = 8;

// `prep` in the PHC string: 1 is OpaqueString. Hashes of older rekey versions lack it; they used NFKC.
const OPAQUE = 1;

const PHC =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})(?:,prep=(\d))?\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

/** What scrypt costs (RFC 7914, section 2). */
export interface HashCost {
  /** log2 of scrypt's N. */
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

/** OWASP's recommendation for scrypt: 128 MiB, about half a second on one core. */
export const USUAL_COST: HashCost = { ln: 17, r: 8, p: 1 };

/**
 * Hashes a password with scrypt (RFC 7914) and a random salt.
 *
 * @param cost less than usual is for tests only.
 * @returns a string in the PHC string format, which includes the parameters.
 * @throws {RekeyError} `usage` when the password is too short or too long, or has a character that is not allowed.
 */
export async function hashPassword(password: string, cost = USUAL_COST): Promise<string> {
  if (!isUsablePassword(password)) {
    throw usageError(
      "Cannot use the password: it has a character that is not allowed",
      "Leave out control, invisible and unassigned characters (RFC 8265)",
    );
  }
  const prepared = preparedPassword(password);
  const length = [...prepared].length;
  if (length < SHORTEST || length > LONGEST) {
    // A longer password may be read in part only, so its length is not known.
    const many = length > LONGEST ? `more than ${LONGEST}` : length;
    throw usageError(
      `Cannot use the password: it has ${many} characters`,
      `Choose a password of ${SHORTEST} to ${LONGEST} characters`,
    );
  }
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(prepared, salt, cost, HASH_BYTES);
  const { ln, r, p } = cost;
  return `$scrypt$ln=${ln},r=${r},p=${p},prep=${OPAQUE}$${unpadded(salt)}$${unpadded(hash)}`;
}

/** Result of comparing a password with a stored hash. */
export interface PasswordVerdict {
  readonly right: boolean;
  /** Whether the stored hash has other parameters than new hashes, and should be replaced. */
  readonly outdated: boolean;
}

/**
 * Compares a password with a stored hash in constant time. Without a stored hash (an unknown user) it does the same work
 * and fails, so that the time does not reveal which accounts exist.
 *
 * @param cost of new hashes, and of a check without a stored one.
 * @throws {RekeyError} `database_damaged` when the stored hash is malformed.
 */
export async function verifyPassword(
  password: string,
  stored: string | undefined,
  cost = USUAL_COST,
): Promise<PasswordVerdict> {
  const known = stored === undefined ? randomHash(cost) : parse(stored);
  // A lone surrogate would be encoded as U+FFFD.
  const tried = [...password].length > LONGEST || !password.isWellFormed() ? "" : password;
  const older = tried.normalize("NFKC");
  const prepared = known.prep === OPAQUE ? preparedPassword(tried) : older;
  const hash = await derive(prepared, known.salt, known, known.hash.length);
  const right = timingSafeEqual(hash, known.hash) && stored !== undefined && tried === password;
  const { ln, r, p } = cost;
  // An old hash is kept when NFKC and OpaqueString differ for this password: the user may type either form next time.
  const replaceable = known.prep === OPAQUE ||
    (preparedPassword(tried) === older && isUsablePassword(tried));
  return { right, outdated: replaceable && (known.ln !== ln || known.r !== r || known.p !== p) };
}

// Made on demand: the first random bytes of a process take a third of a millisecond.
function randomHash(cost: HashCost) {
  return {
    ...cost,
    prep: OPAQUE,
    salt: randomBytes(SALT_BYTES),
    hash: randomBytes(HASH_BYTES),
  };
}

function parse(
  stored: string,
): HashCost & { prep: number | undefined; salt: Buffer; hash: Buffer } {
  const [, ln, r, p, prep, salt, hash] = PHC.exec(stored) ?? [];
  const parameters = { ln: Number(ln), r: Number(r), p: Number(p) };
  // Parameters above these bounds mean that the row was changed: rekey never writes them.
  const bounded = 128 * parameters.r * 2 ** parameters.ln <= MAX_MEMORY / 2 && parameters.p <= 4;
  if (salt !== undefined && hash !== undefined && bounded && parameters.ln > 0) {
    const known = prep === undefined ? undefined : Number(prep);
    return {
      ...parameters,
      prep: known,
      salt: Buffer.from(salt, "base64"),
      hash: Buffer.from(hash, "base64"),
    };
  }
  throw new RekeyError(
    "database_damaged",
    "Cannot check the password: the stored hash is damaged",
    {
      hint: "Set a new password with `rekey user passwd`",
    },
  );
}

function derive(password: string, salt: Uint8Array, { ln, r, p }: HashCost, length: number) {
  const options = { N: 2 ** ln, r, p, maxmem: MAX_MEMORY };
  const bytes = new TextEncoder().encode(password);
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
