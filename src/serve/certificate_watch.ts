import { asRefusal, asRefusalOrBug, type RekeyError } from "../core/errors.ts";
import { type Certificate, type CertificateFiles, readCertificate } from "./certificate.ts";

/** What taking up a renewed certificate needs. */
interface RenewalTold {
  /** Serves new connections with it. @throws when it cannot. */
  take(tls: Certificate["tls"]): Promise<void>;
  remark(text: string): void;
  warn(text: string): void;
}

/** Keeps a server's certificate up to date, and says how that goes. */
export class Renewal {
  #busy: Promise<void> = Promise.resolve();
  #hasExpired: boolean;

  constructor(private readonly watch: CertificateWatch, private readonly told: RenewalTold) {
    this.#hasExpired = watch.certificate.notAfter < Date.now();
  }

  /** What is served with now. */
  get certificate(): Certificate {
    return this.watch.certificate;
  }

  /** Looks at the files, and takes up what is new. One look at a time. @param asked whether to answer in any case. */
  look(asked = false): Promise<void> {
    return this.#busy = this.#busy.then(() => this.#look(asked));
  }

  async #look(asked: boolean): Promise<void> {
    const found = this.watch.look(asked);
    if (found.kind === "renewed") await this.#take(found.certificate);
    else if (found.kind === "refused") this.#keep(found.why.message);
    else if (asked) this.told.remark("the certificate has not changed");
    this.#noteExpiry();
  }

  async #take(certificate: Certificate): Promise<void> {
    try {
      await this.told.take(certificate.tls);
    } catch (error) {
      this.watch.again();
      return this.#keep(asRefusalOrBug(error).message);
    }
    this.watch.taken(certificate);
    this.#hasExpired = false;
    this.told.remark(`the renewed certificate is in use: valid until ${until(certificate)}`);
  }

  #keep(why: string): void {
    this.told.warn(`the certificate in use stays, valid until ${until(this.certificate)}: ${why}`);
  }

  #noteExpiry(): void {
    if (this.#hasExpired || this.certificate.notAfter >= Date.now()) return;
    this.#hasExpired = true;
    this.told.warn(`the certificate has expired: ${until(this.certificate)}`);
  }
}

function until({ notAfter }: Certificate): string {
  return new Date(notAfter).toISOString().replace(".000Z", "Z");
}

/** What a look at the files of a certificate has found. */
type CertificateChange =
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
