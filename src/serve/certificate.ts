import { X509Certificate } from "node:crypto";
import { RekeyError } from "../core/errors.ts";
import { pemBlocks, type PemText } from "../core/pem.ts";
import { readFileIfThere } from "../files/files.ts";
import { isAddress } from "../http/host_names.ts";
import { pemText } from "../core/encoding.ts";

/** Paths of the PEM files of a certificate and its key. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** A certificate with its chain, and the key that belongs to it. */
export interface Certificate {
  /** In PEM, as the runtime takes them. */
  readonly tls: { readonly cert: string; readonly key: string };
  /** Its validity, in milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Whether it is for a DNS name. */
  isFor(name: string): boolean;
}

/**
 * Reads a certificate and its key, and checks that the runtime can serve with them.
 *
 * @throws {RekeyError} `usage` when a file cannot be read, `tls_unusable` when its content is not usable,
 * `tls_key_encrypted`, `tls_key_mismatch`, or `tls_chain_order` when the key belongs to another certificate of the chain.
 */
export function readCertificate(files: CertificateFiles): Certificate {
  const [cert, key] = [textOf(files.cert), textOf(files.key)];
  refuseNoChain(files.cert, cert);
  refuseNoKey(files.key, key);
  const problem = problemOf(cert, key);
  if (problem === "mismatch") throw mismatch(files, cert, key);
  if (problem !== undefined) {
    throw unusable(`${files.cert} with ${files.key}`, problem, "Both must be PEM");
  }
  return { tls: { cert, key }, ...factsOf(files.cert, cert) };
}

/** Warnings about a usable certificate. @param hosts values of `--host`. */
export function certificateWarnings(
  { notBefore, notAfter, isFor }: Certificate,
  hosts: readonly string[],
  now = Date.now(),
): string[] {
  const strange = hosts.filter((host) => !isAddress(host) && !isFor(host));
  return [
    ...now > notAfter ? [`the certificate has expired: ${dateText(notAfter)}`] : [],
    ...now < notBefore
      ? [`the certificate is not yet valid: it is valid from ${dateText(notBefore)}`]
      : [],
    ...strange.map((host) => `the certificate is not for ${host}, which --host names`),
  ];
}

/** The date of an expiry, which is in whole seconds: RFC 3339 without a fraction. */
export function dateText(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(".000Z", "Z");
}

const CHAIN_HINT = "Name a PEM file: the server's own certificate first, then those of its issuers";
const KEY_HINT = "Name a PEM file with the private key (PKCS #8, PKCS #1 or SEC 1)";

function refuseNoChain(path: string, text: string): void {
  refuseTruncated(path, text, CHAIN_HINT);
  if (certificatesIn(text).length > 0) return;
  const why = /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)
    ? "it contains a key and no certificate"
    : "it contains no certificate in PEM";
  throw unusable(path, why, CHAIN_HINT);
}

function refuseNoKey(path: string, text: string): void {
  refuseTruncated(path, text, KEY_HINT);
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text)) {
    throw new RekeyError("tls_key_encrypted", `Cannot use ${path}: the key is encrypted`, {
      hint: "Write it without a passphrase to a file of mode 0600: openssl pkey -in KEY -out NEW",
    });
  }
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) return;
  throw unusable(path, "it contains no private key in PEM", KEY_HINT);
}

function refuseTruncated(path: string, text: string, hint: string): void {
  if (text.trim() === "") throw unusable(path, "it is empty", hint);
  const count = (word: string) => text.split(`-----${word} `).length;
  if (count("BEGIN") !== count("END")) throw unusable(path, "it is cut off", hint);
}

/** The certificates in a PEM text (RFC 7468 §5). */
function certificatesIn(text: string): string[] {
  const isOne = ({ label, endLabel }: PemText) =>
    label === "CERTIFICATE" && endLabel === "CERTIFICATE";
  return [...pemBlocks(text)].filter(isOne).map((block) => block.text);
}

// Only the runtime knows what it can serve with, so listen with it on any free port.
function problemOf(cert: string, key: string): string | undefined {
  try {
    Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key }).close();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if (/KeyMismatch/.test(error.message)) return "mismatch";
    if (error instanceof Deno.errors.AddrNotAvailable) return undefined;
    // These messages describe the fault and do not quote the file.
    return error.message.split("\n")[0]!.replace(/^./, (first) => first.toLowerCase());
  }
}

function mismatch({ cert: path, key: keyPath }: CertificateFiles, cert: string, key: string) {
  const [, ...others] = certificatesIn(cert);
  return others.some((other) => problemOf(other, key) === undefined)
    ? new RekeyError(
      "tls_chain_order",
      `Cannot use ${path}: the certificates are in the wrong order`,
      { hint: "Put the server's own certificate first, then that of its issuer, and so on" },
    )
    : new RekeyError("tls_key_mismatch", `Cannot use ${path}: ${keyPath} is not its key`, {
      hint: "Name the key that the certificate was requested with",
    });
}

function factsOf(path: string, text: string): Omit<Certificate, "tls"> {
  try {
    const own = new X509Certificate(certificatesIn(text)[0]!);
    return {
      notBefore: timeOf(own.validFrom),
      notAfter: timeOf(own.validTo),
      // The runtime does not match a wildcard with a name, so the name is also tried with `*`.
      isFor: (name) =>
        [name, name.replace(/^[^.]+/, "*")].some((one) => own.checkHost(one) !== undefined),
    };
  } catch (error) {
    throw unusable(path, "its certificate cannot be read", CHAIN_HINT, error);
  }
}

// `Nov 30 20:53:29 2026 +00:00`; other runtimes write GMT.
function timeOf(text: string): number {
  const time = Date.parse(text.replace(" +00:00", " GMT"));
  if (Number.isNaN(time)) throw new Error("not a date");
  return time;
}

function textOf(path: string): string {
  let cause: unknown;
  try {
    // Not from a pipe: the file is read again for each renewal.
    const data = readFileIfThere(path);
    if (data !== undefined) return pemText(data);
  } catch (error) {
    cause = error;
  }
  throw new RekeyError("usage", `Cannot read ${path}`, {
    hint: "Name a PEM file that this user may read",
    cause,
  });
}

function unusable(path: string, why: string, hint: string, cause?: unknown): RekeyError {
  return new RekeyError("tls_unusable", `Cannot use ${path}: ${why}`, { hint, cause });
}
