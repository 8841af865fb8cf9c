import { X509Certificate } from "node:crypto";
import { RekeyError } from "../core/errors.ts";
import { readFileIfThere } from "../files/private_files.ts";
import { isAddress } from "../http/host.ts";
import { pemText } from "../core/encoding.ts";

/** Where a certificate and its key are: paths of PEM files. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** A certificate with its chain, and the key that belongs to it. */
export interface Certificate {
  /** PEM texts, as the runtime takes them. */
  readonly tls: { readonly cert: string; readonly key: string };
  /** From when and until when it is valid, milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Whether it is for a name of DNS. */
  isFor(name: string): boolean;
}

/**
 * Reads a certificate and its key, and finds out whether the runtime can serve with them.
 *
 * @throws {RekeyError} `usage` when a file cannot be read, `tls_unusable` when it is not what it has to be,
 * `tls_key_encrypted`, `tls_key_mismatch`, or `tls_chain_order` when another certificate of the chain is the key's.
 */
export function readCertificate(files: CertificateFiles): Certificate {
  const [cert, key] = [textOf(files.cert), textOf(files.key)];
  refuseNoChain(files.cert, cert);
  refuseNoKey(files.key, key);
  const problem = problemOf(cert, key);
  if (problem === "mismatch") throw mismatch(files, cert, key);
  if (problem !== undefined) {
    throw unusable(`${files.cert} with ${files.key}`, problem, "Both have to be PEM");
  }
  return { tls: { cert, key }, ...factsOf(files.cert, cert) };
}

/** What the operator should know of a certificate that can be served with. @param hosts names of the server. */
export function certificateWarnings(
  { notBefore, notAfter, isFor }: Certificate,
  hosts: readonly string[],
  now = Date.now(),
): string[] {
  const at = (time: number) => new Date(time).toISOString().replace(".000Z", "Z");
  const strange = hosts.filter((host) => !isAddress(host) && !isFor(host));
  return [
    ...now > notAfter ? [`the certificate has expired: ${at(notAfter)}`] : [],
    ...now < notBefore ? [`the certificate is not yet valid: it begins ${at(notBefore)}`] : [],
    ...strange.map((host) => `the certificate is not for ${host}, which --host names`),
  ];
}

const CHAIN_HINT = "Name a PEM file: the server's own certificate first, then those that signed it";
const KEY_HINT = "Name a PEM file with the private key (PKCS #8, PKCS #1 or SEC 1)";

function refuseNoChain(path: string, text: string): void {
  refuseUnfinished(path, text, CHAIN_HINT);
  if (blocks(text, "CERTIFICATE").length > 0) return;
  const why = /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)
    ? "it holds a key, and no certificate"
    : "it holds no certificate in PEM";
  throw unusable(path, why, CHAIN_HINT);
}

function refuseNoKey(path: string, text: string): void {
  refuseUnfinished(path, text, KEY_HINT);
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text)) {
    throw new RekeyError("tls_key_encrypted", `Cannot use ${path}: the key is encrypted`, {
      hint: "Write it without a passphrase to a file of mode 0600: openssl pkey -in KEY -out NEW",
    });
  }
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) return;
  throw unusable(path, "it holds no private key in PEM", KEY_HINT);
}

function refuseUnfinished(path: string, text: string, hint: string): void {
  if (text.trim() === "") throw unusable(path, "it is empty", hint);
  const count = (word: string) => text.split(`-----${word} `).length;
  if (count("BEGIN") !== count("END")) throw unusable(path, "it is cut off", hint);
}

/** The parts of a PEM text with a label (RFC 7468), each with its own. */
function blocks(text: string, label: string): string[] {
  return text.match(new RegExp(`-----BEGIN ${label}-----.*?-----END ${label}-----`, "gs")) ?? [];
}

// Only the runtime knows what it can serve with, and it says so when it begins to listen. On a port of no matter.
function problemOf(cert: string, key: string): string | undefined {
  try {
    Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key }).close();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if (/KeyMismatch/.test(error.message)) return "mismatch";
    if (error instanceof Deno.errors.AddrNotAvailable) return undefined;
    // Its texts name kinds of keys and of damage, and nothing of a file.
    return error.message.split("\n")[0]!.replace(/^./, (first) => first.toLowerCase());
  }
}

function mismatch({ cert: path, key: keyPath }: CertificateFiles, cert: string, key: string) {
  const [, ...others] = blocks(cert, "CERTIFICATE");
  return others.some((other) => problemOf(other, key) === undefined)
    ? new RekeyError(
      "tls_chain_order",
      `Cannot use ${path}: the certificates are in the wrong order`,
      { hint: "Put the server's own certificate first, then the one that signed it, and so on" },
    )
    : new RekeyError("tls_key_mismatch", `Cannot use ${path}: ${keyPath} is not its key`, {
      hint: "Name the key that the certificate was requested with",
    });
}

function factsOf(path: string, text: string): Omit<Certificate, "tls"> {
  try {
    const own = new X509Certificate(blocks(text, "CERTIFICATE")[0]!);
    return {
      notBefore: timeOf(own.validFrom),
      notAfter: timeOf(own.validTo),
      // The runtime takes a certificate's `*` for itself only.
      isFor: (name) =>
        [name, name.replace(/^[^.]+/, "*")].some((one) => own.checkHost(one) !== undefined),
    };
  } catch (error) {
    throw unusable(path, "its certificate cannot be read", CHAIN_HINT, error);
  }
}

// `Nov 30 20:53:29 2026 +00:00`, or with GMT in other runtimes.
function timeOf(text: string): number {
  const time = Date.parse(text.replace(" +00:00", " GMT"));
  if (Number.isNaN(time)) throw new Error("no time");
  return time;
}

function textOf(path: string): string {
  let cause: unknown;
  try {
    // It is read again and again: from a pipe it would come once, if at all.
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
