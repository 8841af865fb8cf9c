import { asRefusal, asRefusalOrBug, type RekeyError } from "../core/errors.ts";
import {
  type Certificate,
  type CertificateFiles,
  dateText,
  readCertificate,
} from "./certificate.ts";

/** What {@linkcode Renewal} calls. */
interface RenewalActions {
  /** Uses a certificate for new connections. */
  take(tls: Certificate["tls"]): Promise<void>;
  remark(text: string): void;
  warn(text: string): void;
}

/** Replaces the certificate of a running server when its files change, and reports that. */
export class Renewal {
  #busy: Promise<void> = Promise.resolve();
  #hasExpired: boolean;

  constructor(private readonly watch: CertificateWatch, private readonly actions: RenewalActions) {
    this.#hasExpired = watch.certificate.notAfter < Date.now();
  }

  /** The certificate in use. */
  get certificate(): Certificate {
    return this.watch.certificate;
  }

  /** Checks the files, never twice at the same time. @param asked whether the operator asked for it: then report any result. */
  look(asked = false): Promise<void> {
    return this.#busy = this.#busy.then(() => this.#look(asked));
  }

  async #look(asked: boolean): Promise<void> {
    const found = this.watch.look(asked);
    if (found.kind === "renewed") await this.#use(found.certificate);
    else if (found.kind === "refused") this.#reportKept(found.why.message);
    else if (asked) this.actions.remark("the certificate has not changed");
    this.#noteExpiry();
  }

  async #use(certificate: Certificate): Promise<void> {
    try {
      await this.actions.take(certificate.tls);
    } catch (error) {
      this.watch.forget();
      return this.#reportKept(asRefusalOrBug(error).message);
    }
    this.watch.taken(certificate);
    this.#hasExpired = false;
    this.actions.remark(
      `the renewed certificate is in use: valid until ${dateText(certificate.notAfter)}`,
    );
  }

  #reportKept(why: string): void {
    this.actions.warn(
      `the certificate in use stays, valid until ${dateText(this.certificate.notAfter)}: ${why}`,
    );
  }

  #noteExpiry(): void {
    if (this.#hasExpired || this.certificate.notAfter >= Date.now()) return;
    this.#hasExpired = true;
    this.actions.warn(`the certificate has expired: ${dateText(this.certificate.notAfter)}`);
  }
}

/** Result of a look at the files of a certificate. */
type CertificateChange =
  | { readonly kind: "same" }
  | { readonly kind: "renewed"; readonly certificate: Certificate }
  | { readonly kind: "refused"; readonly why: RekeyError };

/**
 * Detects that a certificate was renewed: its files were written or replaced, or a symbolic link on their path was
 * changed. It polls the files, since file events differ for each of these and are lost on some file systems.
 */
export class CertificateWatch {
  // State of the files at the last look. Empty at first, since they may have changed since `current` was read.
  #seen = "";
  // A state that was unusable at the last look. Certificate and key may be written one after the other.
  #unusable: string | undefined;

  /** @param current the certificate in use. */
  constructor(private readonly files: CertificateFiles, private current: Certificate) {}

  /** The certificate in use. */
  get certificate(): Certificate {
    return this.current;
  }

  /**
   * Checks the files. Unusable files are reported once, at the second look that finds them.
   *
   * @param asked whether the operator asked for it: then the files are read, and unusable ones reported, in any case.
   */
  look(asked = false): CertificateChange {
    const state = this.#state();
    if (state === this.#seen && !asked) return SAME;
    try {
      const certificate = readCertificate(this.files);
      [this.#seen, this.#unusable] = [state, undefined];
      const { cert, key } = this.current.tls;
      if (certificate.tls.cert === cert && certificate.tls.key === key) return SAME;
      return { kind: "renewed", certificate };
    } catch (error) {
      const why = asRefusal(error);
      if (!asked && state !== this.#unusable) {
        this.#unusable = state;
        return SAME;
      }
      [this.#seen, this.#unusable] = [state, undefined];
      return { kind: "refused", why };
    }
  }

  /** A renewed certificate is now in use. */
  taken(certificate: Certificate): void {
    this.current = certificate;
  }

  /** Forgets the last look, so that the next one reports the renewal again. */
  forget(): void {
    this.#seen = "";
  }

  #state(): string {
    return [this.files.cert, this.files.key].map(stateOf).join(" ");
  }
}

const SAME: CertificateChange = { kind: "same" };

function stateOf(path: string): string {
  try {
    const { dev, ino, size, mtime, ctime } = Deno.statSync(path);
    return [dev, ino, size, mtime?.getTime(), ctime?.getTime()].join(":");
  } catch (error) {
    return error instanceof Error ? error.name : "?";
  }
}
