import { Buffer } from "node:buffer";
import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { RekeyError, usageError } from "../core/errors.ts";
import { isUsablePassword, preparedPassword } from "./names.ts";

// As OWASP advises for passwords: 128 MiB, about half a second on one core.
const PARAMETERS = { ln: 17, r: 8, p: 1 };
const MAX_MEMORY = 256 * 2 ** 20;
const HASH_BYTES = 32;
const SALT_BYTES = 16;

// What scrypt takes of a longer one is the same work, but somebody has to read it first.
const LONGEST = 1_024;
const SHORTEST = 8;

// How a password is prepared. Those that do not say were made before it was OpaqueString: of the text's NFKC.
const OPAQUE = 1;

const PHC =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})(?:,prep=(\d))?\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

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
  if (!isUsablePassword(password)) {
    throw usageError(
      "Cannot use the password: a character of it is not allowed",
      "Leave out control characters, and those that are not seen or not assigned (RFC 8265)",
    );
  }
  const prepared = preparedPassword(password);
  const length = [...prepared].length;
  if (length < SHORTEST || length > LONGEST) {
    // Of a longer one not everything is read.
    const many = length > LONGEST ? `more than ${LONGEST}` : length;
    throw usageError(
      `Cannot use the password: it has ${many} characters`,
      `Choose one of ${SHORTEST} to ${LONGEST} characters`,
    );
  }
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(prepared, salt, PARAMETERS, HASH_BYTES);
  const { ln, r, p } = PARAMETERS;
  return `$scrypt$ln=${ln},r=${r},p=${p},prep=${OPAQUE}$${unpadded(salt)}$${unpadded(hash)}`;
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
  // Half of a surrogate pair would be hashed as another character.
  const tried = [...password].length > LONGEST || !password.isWellFormed() ? "" : password;
  const older = tried.normalize("NFKC");
  const prepared = known.prep === OPAQUE ? preparedPassword(tried) : older;
  const hash = await derive(prepared, known.salt, known, known.hash.length);
  const right = timingSafeEqual(hash, known.hash) && stored !== undefined && tried === password;
  const { ln, r, p } = PARAMETERS;
  // A password that the two ways of preparing tell apart keeps its hash: it may be typed in the other form next time.
  const lasting = known.prep === OPAQUE ||
    (preparedPassword(tried) === older && isUsablePassword(tried));
  return { right, outdated: lasting && (known.ln !== ln || known.r !== r || known.p !== p) };
}

// Made when it is needed: the first random bytes of a process take it a third of a millisecond.
function nobody() {
  return {
    ...PARAMETERS,
    prep: OPAQUE,
    salt: randomBytes(SALT_BYTES),
    hash: randomBytes(HASH_BYTES),
  };
}

function parse(
  stored: string,
): Parameters & { prep: number | undefined; salt: Buffer; hash: Buffer } {
  const [, ln, r, p, prep, salt, hash] = PHC.exec(stored) ?? [];
  const parameters = { ln: Number(ln), r: Number(r), p: Number(p) };
  // Others need more memory than there may be: somebody has changed the row.
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
    "Cannot check the password: its stored hash is damaged",
    {
      hint: "Set a new one with `rekey user passwd`",
    },
  );
}

function derive(password: string, salt: Uint8Array, { ln, r, p }: Parameters, length: number) {
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
