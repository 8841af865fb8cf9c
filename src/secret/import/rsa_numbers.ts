import { randomBytes } from "node:crypto";

// What an RSA key may lack, computed from what it has (RFC 8017 §3.2).

/** The multiplicative inverse of a number; `undefined` when it has none. */
export function inverse(number: bigint, modulus: bigint): bigint | undefined {
  let [rest, next] = [modulus, number % modulus];
  let [sum, term] = [0n, 1n];
  while (next !== 0n) {
    const times = rest / next;
    [rest, next] = [next, rest - times * next];
    [sum, term] = [term, sum - times * term];
  }
  return rest === 1n ? (sum + modulus) % modulus : undefined;
}

const BASES = [2n, 3n, 5n, 7n, 11n, 13n, 17n, 19n, 23n, 29n, 31n, 37n, 41n, 43n, 47n, 53n];

/**
 * The primes of an RSA key, from its two exponents (SP 800-56B appendix C.1).
 *
 * @returns `undefined` when the numbers are not those of a key with two primes.
 */
export function primesOf(n: bigint, e: bigint, d: bigint): { p: bigint; q: bigint } | undefined {
  const product = e * d - 1n;
  if (product <= 0n || product % 2n === 1n || n % 2n === 0n) return undefined;
  let odd = product;
  let halvings = 0;
  for (; odd % 2n === 0n; odd /= 2n) halvings++;
  for (const base of BASES) {
    const root = rootOfOne(base, odd, halvings, n);
    if (root === undefined) continue;
    const p = greatestDivisor(root - 1n, n);
    if (p > 1n && p < n) return p > n / p ? { p, q: n / p } : { p: n / p, q: p };
  }
  return undefined;
}

// A square root of 1 other than 1 and -1, which shares a prime with the modulus when 1 is taken from it.
function rootOfOne(base: bigint, odd: bigint, halvings: number, n: bigint): bigint | undefined {
  let root = power(base, odd, n);
  for (let step = 0; step < halvings; step++) {
    const square = root * root % n;
    if (square === 1n) return root === 1n || root === n - 1n ? undefined : root;
    root = square;
  }
  return undefined;
}

// A composite number passes each with a probability of a quarter at most.
const PRIME_ROUNDS = 16;

/** Whether an odd number is a prime (FIPS 186-5 appendix B.3.1). The runtime's own check takes some other numbers too. */
export function isPrime(number: bigint): boolean {
  if (number < 4n || number % 2n === 0n) return number === 2n || number === 3n;
  let odd = number - 1n;
  let halvings = 0;
  for (; odd % 2n === 0n; odd /= 2n) halvings++;
  for (let round = 0; round < PRIME_ROUNDS; round++) {
    if (!passes(number, randomBelow(number), odd, halvings)) return false;
  }
  return true;
}

// Whether the powers of a base end as those of a prime do: in 1, and before it in -1.
function passes(number: bigint, base: bigint, odd: bigint, halvings: number): boolean {
  let root = power(base, odd, number);
  if (root === 1n) return true;
  for (let step = 0; step < halvings; step++) {
    if (root === number - 1n) return true;
    root = root * root % number;
  }
  return false;
}

// From 2 to the number less 2. Not by a fixed list: a number can be made to pass it.
function randomBelow(number: bigint): bigint {
  const bytes = randomBytes(Math.ceil(number.toString(16).length / 2) + 8);
  return BigInt(`0x${bytes.toString("hex")}`) % (number - 3n) + 2n;
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (const bit of exponent.toString(2)) {
    result = result * result % modulus;
    if (bit === "1") result = result * base % modulus;
  }
  return result;
}

function greatestDivisor(one: bigint, other: bigint): bigint {
  while (other !== 0n) [one, other] = [other, one % other];
  return one;
}
