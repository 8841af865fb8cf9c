// deno-lint-ignore-file no-node-globals
// For nginx with njs: whether a request has a token that one of the keys verifies which rekey has delivered.
// docs/presets/nginx.md shows the configuration. The file of keys is read for each request: nothing is to be reloaded.
//
// njs 0.7.9 (Debian 12) has no destructuring, no optional chaining and no `await` among arguments. Its
// require("crypto") has no SHA-512; Web Crypto has. It runs this whole file for each request, so plain loops are worth it.
import fs from "fs";

const HASHES = { 256: "SHA-256", 384: "SHA-384", 512: "SHA-512" };
const CURVES = { 256: "P-256", 384: "P-384", 512: "P-521" };
const ECDSA_BYTES = { 256: 64, 384: 96, 512: 132 };
const TOKEN = /^Bearer +([\w-]+)\.([\w-]+)\.([\w-]+)$/i;

// RFC 8725 §3: parameters that give the token another meaning, or bring a key of its own.
const REFUSED_PARAMETERS = ["crit", "b64", "jwk", "jku", "x5c", "x5u", "zip", "enc"];

/**
 * For `js_content` of the location that `auth_request` asks: 204 with X-Auth-Subject and X-Auth-Claims, or 401. If the
 * file of keys cannot be read it is 500, which lets no one in. The variable `rekey_keys` is the file's path; `rekey_aud`
 * and `rekey_iss`, unless they are empty, are what the token's aud and iss must be.
 */
async function auth(r) {
  const keys = readKeys(r);
  if (keys === undefined) return r.return(500);
  const token = TOKEN.exec(r.headersIn.Authorization || "");
  const claims = token === null ? undefined : await verified(token, keys, Date.now() / 1000);
  if (claims === undefined || !isFor(claims, r.variables.rekey_aud, r.variables.rekey_iss)) {
    r.headersOut["WWW-Authenticate"] = 'Bearer error="invalid_token"';
    return r.return(401);
  }
  r.headersOut["X-Auth-Subject"] = headerText(claims.sub === undefined ? "" : String(claims.sub));
  r.headersOut["X-Auth-Claims"] = token[2];
  r.return(204);
}

function readKeys(r) {
  try {
    return JSON.parse(fs.readFileSync(r.variables.rekey_keys)).keys;
  } catch (error) {
    // Without the message: a parser's may quote what it has read.
    r.error("rekey: cannot read the keys (" + error.name + "): " + r.variables.rekey_keys);
    return undefined;
  }
}

/** The claims of a token that is valid at `now`, in seconds since the epoch; undefined if it is not. */
async function verified(token, keys, now) {
  const header = objectOf(token[1]);
  if (header === undefined || isRefused(header)) return undefined;
  // Without a kid each key is tried.
  const kids = header.kid === undefined ? Object.keys(keys) : [header.kid];
  for (let i = 0; i < kids.length; i++) {
    const key = has(keys, kids[i]) ? keys[kids[i]] : undefined;
    if (key === undefined || key.alg !== header.alg || isOver(key, now)) continue;
    const matches = await isSignedWith(key, token);
    if (matches) return claimsAt(token, now);
  }
  return undefined;
}

function isRefused(header) {
  if (header.kid !== undefined && typeof header.kid !== "string") return true;
  for (let i = 0; i < REFUSED_PARAMETERS.length; i++) {
    if (header[REFUSED_PARAMETERS[i]] !== undefined) return true;
  }
  return false;
}

/** Whether the key's grace period has ended, even if rekey has not come to take it out of the file. */
function isOver(key, now) {
  return key.expires_at !== null && now >= Date.parse(key.expires_at) / 1000;
}

async function isSignedWith(key, token) {
  const signature = Buffer.from(token[3], "base64url");
  // A signature has one spelling.
  if (signature.toString("base64url") !== token[3]) return false;
  const size = key.alg.slice(2);
  if (key.alg[0] === "E" && signature.length !== ECDSA_BYTES[size]) return false;
  const algorithm = algorithmOf(key.alg.slice(0, 2), size);
  // The key says of which kind it is: a public key is never an HMAC secret.
  const form = algorithm.name === "HMAC" ? "raw" : "spki";
  const bytes = Buffer.from(form === "raw" ? key.base64 : key.spki, "base64");
  const imported = await crypto.subtle.importKey(form, bytes, algorithm, false, ["verify"]);
  try {
    return await crypto.subtle.verify(algorithm, imported, signature, token[1] + "." + token[2]);
  } catch (_) {
    // It is no signature at all.
    return false;
  }
}

/** RFC 7518 §3: the first two characters name the scheme, the rest its hash. */
function algorithmOf(scheme, size) {
  const hash = HASHES[size];
  switch (scheme) {
    case "HS":
      return { name: "HMAC", hash: hash };
    case "ES":
      return { name: "ECDSA", hash: hash, namedCurve: CURVES[size] };
    case "RS":
      return { name: "RSASSA-PKCS1-v1_5", hash: hash };
    default:
      return { name: "RSA-PSS", hash: hash, saltLength: Number(size) / 8 };
  }
}

/** RFC 7519 §4.1.4 and §4.1.5: exp is required, and clocks are trusted. */
function claimsAt(token, now) {
  const claims = objectOf(token[2]);
  if (claims === undefined || !Number.isFinite(claims.exp) || now >= claims.exp) return undefined;
  const isEarly = claims.nbf !== undefined && !(Number.isFinite(claims.nbf) && now >= claims.nbf);
  return isEarly || !isName(claims.sub) ? undefined : claims;
}

// Many applications write a number. Beyond 2^53 two users would have the same one.
function isName(sub) {
  const isNumber = Number.isFinite(sub) && Math.abs(sub) <= Number.MAX_SAFE_INTEGER;
  return sub === undefined || typeof sub === "string" || isNumber;
}

function isFor(claims, audience, issuer) {
  const audiences = Array.isArray(claims.aud) ? claims.aud : [claims.aud];
  return (!audience || audiences.includes(audience)) && (!issuer || claims.iss === issuer);
}

function objectOf(encoded) {
  try {
    const value = JSON.parse(Buffer.from(encoded, "base64url").toString());
    return value !== null && typeof value === "object" && !Array.isArray(value) ? value : undefined;
  } catch (_) {
    return undefined;
  }
}

function has(object, name) {
  return Object.prototype.hasOwnProperty.call(object, name);
}

/** As rekey's own /auth writes it: all but visible ASCII, and the percent sign, is percent-encoded. */
function headerText(text) {
  return text.replace(/[^\x21-\x7e]|%/g, (character) => encodeURIComponent(character));
}

export default { auth };
