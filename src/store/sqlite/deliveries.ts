import { RekeyError } from "../../core/errors.ts";
import type { Sql } from "../../core/sql.ts";

/** A named target outside rekey that gets key material whenever it changes. Backups hold it. */
export interface DeliverySettings {
  /** A format or a preset, by name. */
  readonly preset: string;
  /** The preset itself, when it is the operator's own; JSON that `deliver/preset.ts` has checked. */
  readonly own?: unknown;
  /** Whether the program checks tokens, or signs them. */
  readonly role: "verifier" | "signer";
  /** Absolute path of the file, or of the folder of files. */
  readonly path: string;
  /** Names or numbers; `null`: as the command that delivers. */
  readonly owner: string | null;
  readonly group: string | null;
  /** Octal, such as `0640`; `null` where files have no mode. */
  readonly mode: string | null;
  readonly parameters: Readonly<Record<string, string>>;
  /** A shell command that takes the place of the preset's reload. */
  readonly reload?: string | undefined;
  /** What takes the place of the preset's probe: a URL, or a shell command that reads a token. */
  readonly probe?: { readonly url: string } | { readonly command: string } | undefined;
  /** Whether what is at the path may be replaced although rekey did not write it. */
  readonly replaces: boolean;
}

/** How far a delivery has come on this machine. Times are milliseconds since the epoch. */
export interface DeliveryState {
  /** SHA-256 of each file that rekey wrote or is about to write, by its name; a single file has the name "". */
  readonly files: Readonly<Record<string, string>>;
  /** Those of what they replace, as long as a killed command may have left that; earlier databases have none. */
  readonly replacing?: readonly string[];
  /** Paths of the folders that were made for them, each after the one that it is in; earlier databases have none. */
  readonly folders?: readonly string[];
  /** The kids in them. */
  readonly written: readonly string[];
  /** The kids that the program has taken up, as far as reload and probe show. */
  readonly confirmed: readonly string[];
  /** Digest of versions and settings for which all was done; `null` if never. */
  readonly mark: string | null;
  /** Digest of the contents with which reload and probe succeeded. */
  readonly proven: string | null;
  /** When it was added on this machine; one of an earlier rekey, or from a backup, has none. */
  readonly added_at?: number;
  readonly followed_at: number | null;
  readonly failed_at: number | null;
  /** Why it has not followed; holds no value. */
  readonly failure: string | null;
}

/** The state of a delivery that was never written. */
export const NOT_DELIVERED: DeliveryState = {
  files: {},
  written: [],
  confirmed: [],
  mark: null,
  proven: null,
  followed_at: null,
  failed_at: null,
  failure: null,
};

/** A delivery as stored. */
export interface StoredDelivery {
  readonly name: string;
  readonly settings: DeliverySettings;
  readonly state: DeliveryState;
}

/**
 * Whether this machine has tried to deliver it. One that came with a backup waits for the operator: its paths and
 * commands may be those of another machine, and its keys older than those of the program.
 */
export function isBegun({ state: { files, failed_at } }: Pick<StoredDelivery, "state">): boolean {
  return failed_at !== null || Object.keys(files).length > 0;
}

/** The rows of `rekey_deliveries` and `rekey_delivery_states`. Methods that change rows belong inside a transaction. */
export class Deliveries {
  constructor(private readonly sql: Sql) {}

  /** How many there are. */
  count(): number {
    return Number(this.sql.prepare("SELECT count(*) AS n FROM rekey_deliveries").get()!.n);
  }

  /** All, by name. @throws {RekeyError} `database_damaged` when a row cannot be read. */
  all(): StoredDelivery[] {
    return this.sql.prepare(
      `SELECT name, settings, state FROM rekey_deliveries LEFT JOIN rekey_delivery_states USING (name)
       ORDER BY name`,
    ).all().map((row) => {
      const { name, settings, state } = row as Record<string, string | null>;
      return {
        name: name!,
        settings: parsed<DeliverySettings>(settings!, isSettings),
        state: state === null ? NOT_DELIVERED : parsed<DeliveryState>(state!, isState),
      };
    });
  }

  /** Adds a delivery, or replaces the settings of one. */
  put(name: string, settings: DeliverySettings): void {
    this.sql.prepare(
      `INSERT INTO rekey_deliveries (name, settings) VALUES (?, ?)
       ON CONFLICT (name) DO UPDATE SET settings = excluded.settings`,
    ).run(name, JSON.stringify(settings));
  }

  /** Sets the state of a delivery, unless the delivery was removed meanwhile. */
  setState(name: string, state: DeliveryState): void {
    this.sql.prepare(
      `INSERT INTO rekey_delivery_states (name, state)
       SELECT name, ? FROM rekey_deliveries WHERE name = ?
       ON CONFLICT (name) DO UPDATE SET state = excluded.state`,
    ).run(JSON.stringify(state), name);
  }

  /** The settings as stored, by name. */
  texts(): Map<string, unknown> {
    const rows = this.sql.prepare("SELECT name, settings FROM rekey_deliveries").all();
    return new Map(rows.map(({ name, settings }) => [String(name), settings]));
  }

  /**
   * Forgets the states of deliveries that have other settings than before, or are gone: they are about other files.
   *
   * @returns their names.
   */
  forgetStates(before: ReadonlyMap<string, unknown>): string[] {
    const now = this.texts();
    const changed = [...before].filter(([name, text]) => now.get(name) !== text)
      .map(([name]) => name);
    for (const name of changed) {
      this.sql.prepare("DELETE FROM rekey_delivery_states WHERE name = ?").run(name);
    }
    return changed;
  }

  remove(name: string): void {
    for (const table of ["rekey_delivery_states", "rekey_deliveries"]) {
      this.sql.prepare(`DELETE FROM ${table} WHERE name = ?`).run(name);
    }
  }
}

function parsed<T>(text: string, isValid: (value: unknown) => boolean): T {
  try {
    const value = JSON.parse(text);
    if (isValid(value)) return value;
  } catch {
    // Not JSON.
  }
  throw new RekeyError("database_damaged", "Cannot use the database: a delivery is damaged", {
    hint: "Restore the database from a backup",
  });
}

const isText = (value: unknown) => typeof value === "string";
const isList = (value: unknown) => Array.isArray(value) && value.every(isText);

function isSettings(value: unknown): boolean {
  const { preset, path, parameters } = Object(value);
  return isText(preset) && isText(path) && Object.values(Object(parameters)).every(isText);
}

function isState(value: unknown): boolean {
  const { files, replacing = [], folders = [], written, confirmed } = Object(value);
  return Object.values(Object(files)).every(isText) &&
    [replacing, folders, written, confirmed].every(isList);
}
