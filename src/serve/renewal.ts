import { asRefusalOrBug } from "../core/errors.ts";
import type { Certificate } from "./certificate.ts";
import type { CertificateWatch } from "./certificate_watch.ts";

/** What taking up a renewed certificate needs. */
export interface RenewalTold {
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
