import { join } from "node:path";
import type { Box } from "../process/box.ts";

/** Paths of a certificate and its key, both PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** Makes a self-signed certificate for this machine in a box. @param name what its subject and its files are called. */
export async function certify(box: Box, name: string, ...more: string[]): Promise<KeyPair> {
  const pair = { cert: join(box.home, `${name}.pem`), key: join(box.home, `${name}.key`) };
  const { code, stderr } = await box.exec("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
    ...["-keyout", pair.key, "-out", pair.cert, "-subj", `/CN=${name}`],
    ...["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2", ...more],
  ]);
  if (code !== 0) throw new Error(stderr);
  return pair;
}

/** The flags of `serve` that name them. */
export function tlsFlags({ cert, key }: KeyPair): string[] {
  return ["--tls-cert", cert, "--tls-key", key];
}
