import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { readFileIfThere } from "../files/files.ts";
import { type ErrorCode, quoted, RekeyError, usageError } from "../core/errors.ts";
import { EtcdClient, type EtcdSettings } from "../etcd/client.ts";
import { warnOfExposed } from "./exposed_inputs.ts";
import type { Output } from "./output.ts";
import { SYSTEM } from "../system/system.ts";
import { pathOf } from "../system/paths.ts";
import { pemText, utf8 } from "../core/encoding.ts";

type Variable = (name: string) => string | undefined;

/**
 * A client for the etcd named by the `REKEY_ETCD_*` variables.
 *
 * @param named their endpoints.
 * @param withoutProxyHere excludes this machine from HTTP proxies.
 * @param output is warned of private files that other users can read.
 * @throws {RekeyError} `usage` when one of them is invalid.
 */
export function clientOf(
  named: string,
  variable: Variable,
  withoutProxyHere: () => void,
  output?: Output,
): EtcdClient {
  const endpoints = named.split(",").map((part) => endpoint(part.trim()));
  if (endpoints.some((url) => url.startsWith("http:"))) withoutProxyHere();
  const settings = {
    endpoints,
    prefix: prefix(variable("REKEY_ETCD_PREFIX") ?? "/rekey/"),
    ...certificatesFrom(variable),
    user: userFrom(variable),
  };
  if (output !== undefined) warnOnce(variable, output);
  try {
    return new EtcdClient(settings);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof Deno.errors.InvalidData)) throw error;
    throw unusable("REKEY_ETCD_CA, REKEY_ETCD_CERT or REKEY_ETCD_KEY", error);
  }
}

const checked = new Set<string>();

// A server asks for a client again after each change of the database file.
function warnOnce(variable: Variable, output: Output): void {
  for (const name of ["REKEY_ETCD_KEY", "REKEY_ETCD_PASSWORD_FILE"]) {
    const path = variable(name);
    if (path === undefined || checked.has(path)) continue;
    checked.add(path);
    warnOfExposed(path, output);
  }
}

function certificatesFrom(variable: Variable): Pick<EtcdSettings, "ca" | "cert" | "key"> {
  const file = (name: string) => {
    const path = variable(name);
    return path === undefined
      ? undefined
      : contents(pathOf(name, path, SYSTEM.paths), name, "usage", pemText);
  };
  const [ca, cert, key] = ["CA", "CERT", "KEY"].map((name) => file(`REKEY_ETCD_${name}`));
  // The runtime would accept a file without certificates, and then trust no server.
  if (ca !== undefined && !ca.includes("-----BEGIN CERTIFICATE-----")) {
    throw unusable("REKEY_ETCD_CA");
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw usageError(
      "Cannot use a client certificate without its key",
      "Set both REKEY_ETCD_CERT and REKEY_ETCD_KEY",
    );
  }
  if (cert !== undefined && key !== undefined) checkKeyPair(cert, key);
  return { ca, cert, key };
}

// The runtime crashes on a damaged certificate, or one that does not match the key.
function checkKeyPair(cert: string, key: string): void {
  let certified;
  try {
    certified = new X509Certificate(cert).publicKey;
  } catch (error) {
    throw unusable("REKEY_ETCD_CERT", error);
  }
  let own;
  try {
    own = createPublicKey(createPrivateKey(key));
  } catch {
    // A key that cannot be compared: the runtime reports it.
    return;
  }
  const [one, other] = [certified, own].map((part) => part.export({ type: "spki", format: "pem" }));
  if (one !== other) {
    throw usageError(
      "Cannot use the key of REKEY_ETCD_KEY: it does not match the certificate",
      "Set REKEY_ETCD_CERT and REKEY_ETCD_KEY to a matching certificate and key",
    );
  }
}

function userFrom(variable: Variable) {
  const name = variable("REKEY_ETCD_USER");
  if (name === undefined) return undefined;
  const path = variable("REKEY_ETCD_PASSWORD_FILE");
  if (path === undefined) {
    throw usageError(
      "Cannot log in to etcd without a password",
      "Name its file with REKEY_ETCD_PASSWORD_FILE",
    );
  }
  pathOf("REKEY_ETCD_PASSWORD_FILE", path, SYSTEM.paths);
  const password = () =>
    contents(path, "REKEY_ETCD_PASSWORD_FILE", "etcd_denied").replace(/\r?\n$/, "");
  return { name, password };
}

// Plain HTTP over a network would let an attacker hide rotations.
function endpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const near = ["localhost", "127.0.0.1", "[::1]"].includes(url?.hostname ?? "");
  const safe = url?.protocol === "https:" || (url?.protocol === "http:" && near);
  const rest = `${url?.username}${url?.password}${url?.pathname}${url?.search}${url?.hash}`;
  if (url !== undefined && safe && rest === "/") {
    return url.origin;
  }
  throw usageError(
    "Cannot use an address of REKEY_ETCD_ENDPOINTS",
    "Write https://HOST:2379, separated by commas; http: is allowed for this machine only",
  );
}

function prefix(text: string): string {
  if (/^[\w./-]{1,200}$/.test(text)) return text.endsWith("/") ? text : `${text}/`;
  throw usageError(
    `Cannot use ${quoted(text)} as REKEY_ETCD_PREFIX`,
    "Use letters, digits and /._-",
  );
}

function contents(path: string, name: string, code: ErrorCode, decode = utf8): string {
  try {
    // The files are read at each connection, so they cannot be pipes.
    return decode(readFileIfThere(path) ?? neverThere());
  } catch (cause) {
    throw new RekeyError(code, `Cannot read the file of ${name}`, {
      hint: "Name a file that this user may read",
      cause,
    });
  }
}

function neverThere(): never {
  throw new Deno.errors.NotFound();
}

function unusable(names: string, cause?: unknown): RekeyError {
  return usageError(
    `Cannot use the file of ${names}: it is not a PEM file of this kind`,
    "`rekey help fleet` shows how to make one",
    cause,
  );
}
