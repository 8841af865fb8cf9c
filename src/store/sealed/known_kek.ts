import { restrictToOwner } from "../../files/private_files.ts";
import type { Environment } from "../environment.ts";
import type { Meta } from "../sqlite/meta.ts";
import { findKek, generatedKeyFile, type Kek, type KekRecord, readKekRecord } from "./kek.ts";
import type { KekSources } from "./kek_sources.ts";

/** How the KEK of a database is found. */
interface KekSearch {
  /** @throws {RekeyError} `kek_missing` when a remembered one cannot be used here. */
  sources(): KekSources;
  /** Whether nothing is changed: a key file that others can read stays as it is. */
  readonly asFound: boolean;
}

/** The KEK of a database: found when it is first needed, and again when another process has replaced it. */
export class KnownKek {
  #kek: Kek | undefined;

  constructor(
    private readonly environment: Environment,
    private readonly meta: Meta,
    private readonly search: KekSearch,
  ) {}

  /** @throws {RekeyError} `kek_missing`, `kek_invalid` or `kek_wrong`. */
  async now(): Promise<Kek> {
    const record = readKekRecord(this.meta, "kek");
    if (this.#kek?.id === record.id) return this.#kek;
    try {
      return this.#kek = await this.#find(record);
    } catch (error) {
      // It was replaced while its key file was looked for, which is deleted then.
      if (readKekRecord(this.meta, "kek").id === record.id) throw error;
      return await this.now();
    }
  }

  /** Goes on with another one, under which everything is sealed now. */
  use(kek: Kek): void {
    this.#kek = kek;
  }

  async #find(record: KekRecord): Promise<Kek> {
    const { app, folders, onExposedKey } = this.environment;
    const keyFile = generatedKeyFile(folders.config, app.name, record);
    if (keyFile !== undefined && !this.search.asFound) {
      const shown = restrictToOwner(keyFile);
      if (shown !== undefined) await onExposedKey?.(keyFile, shown);
    }
    return await findKek(this.search.sources(), keyFile, record);
  }
}
