import { asRefusal, type RekeyError } from "../core/errors.ts";
import { type Certificate, type CertificateFiles, readCertificate } from "./certificate.ts";

/** What a look at the files of a certificate has found. */
export type CertificateChange =
  | { readonly kind: "same" }
  | { readonly kind: "renewed"; readonly certificate: Certificate }
  | { readonly kind: "refused"; readonly why: RekeyError };

/**
 * Looks whether a certificate was renewed: by writing into its files, by putting others in their place, or by leading
 * a symbolic link somewhere else, also one on the way to them. It asks for facts of the files instead of waiting for
 * events, since those differ for each of these ways and get lost on some file systems.
 */
export class CertificateWatch {
  // The files may have been changed since what is served with was read: the first look reads them.
  #seen = "";
  // A state of the files that was no good when it was first seen: certificate and key are not written at once.
  #doubtful: string | undefined;

  /** @param current what is served with now. */
  constructor(private readonly files: CertificateFiles, private current: Certificate) {}

  /** What is served with now. */
  get certificate(): Certificate {
    return this.current;
  }

  /**
   * Looks once. What cannot be used is told at the second look that finds it so, and then once.
   *
   * @param asked whether the operator wants to know: then it is read and told at once.
   */
  look(asked = false): CertificateChange {
    const facts = this.#facts();
    if (facts === this.#seen && !asked) return SAME;
    try {
      const certificate = readCertificate(this.files);
      [this.#seen, this.#doubtful] = [facts, undefined];
      const { cert, key } = this.current.tls;
      if (certificate.tls.cert === cert && certificate.tls.key === key) return SAME;
      return { kind: "renewed", certificate };
    } catch (error) {
      const why = asRefusal(error);
      if (!asked && facts !== this.#doubtful) {
        this.#doubtful = facts;
        return SAME;
      }
      [this.#seen, this.#doubtful] = [facts, undefined];
      return { kind: "refused", why };
    }
  }

  /** Notes that a renewed one is served with. */
  taken(certificate: Certificate): void {
    this.current = certificate;
  }

  /** Forgets the last look, so that the next one tells again of what was renewed. */
  again(): void {
    this.#seen = "";
  }

  #facts(): string {
    return [this.files.cert, this.files.key].map(factsOf).join(" ");
  }
}

const SAME: CertificateChange = { kind: "same" };

function factsOf(path: string): string {
  try {
    const { dev, ino, size, mtime, ctime } = Deno.statSync(path);
    return [dev, ino, size, mtime?.getTime(), ctime?.getTime()].join(":");
  } catch (error) {
    return error instanceof Error ? error.name : "?";
  }
}
