import { createHmac } from "node:crypto";
import { sameText } from "../core/secret.ts";
import type { Sql } from "../core/sql.ts";
import { brokenLog, ChainWalk } from "./chain_walk.ts";
import { ChainHashes } from "./chain_hashes.ts";
import { type Head, readHead, showHead } from "./events.ts";
import { gapWith, isGap, treeOf } from "./gaps.ts";
import { TreeHead } from "./merkle.ts";
import { partLine, partsAfter } from "./log_parts.ts";
import { NoteSigner, type NoteVerifier } from "./signed_note.ts";

/** What a checkpoint says of a log: how many rows it had, their hash as a Merkle tree, and the newest row. */
export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  /** In base64. */
  readonly root: string;
  readonly head: Head;
}

/** Text of a checkpoint (c2sp.org/tlog-checkpoint), with the head as an extension line. */
function checkpointText({ origin, size, root, head }: Checkpoint): string {
  return [origin, size, root, `head ${showHead(head)}`, ""].join("\n");
}

/** The checkpoint that a note holds; `undefined` when the key has not signed it, or it is of another log. */
export function openCheckpoint(verifier: NoteVerifier, note: string): Checkpoint | undefined {
  const [origin, size = "", root = "", extension = "", end, ...more] =
    verifier.open(note)?.split("\n") ?? [];
  const head = extension.startsWith("head ") ? readHead(extension.slice(5)) : null;
  const sound = origin === verifier.name && /^[1-9]\d{0,14}$/.test(size) &&
    /^[A-Za-z0-9+/]{43}=$/.test(root) && head?.seq === Number(size) && end === "" &&
    more.length === 0;
  return sound ? { origin, size: Number(size), root, head } : undefined;
}

/** Notes that stand one after the other in a text. */
export function splitNotes(text: string): string[] {
  // A note ends with its signatures; the next one begins with a name.
  return text.replace(/\r\n/g, "\n").split(/(?<=^\u2014 .*\n)(?!\u2014 )/m).filter((note) =>
    note.includes("\n\n\u2014 ")
  );
}

// A label of its own: nothing else may be signed or hashed with the same key.
const KEY_LABEL = "rekey log signing key v1";

/** What a log is signed with: the key of its hashes, and the one that comes from it. */
export interface LogKeys {
  readonly auditKey: Uint8Array;
  readonly signer: NoteSigner;
}

/**
 * The key that signs a log's checkpoints. It comes from the key of the log's hashes, so it is kept, backed up and
 * restored with that.
 *
 * @param origin names the log, and the key.
 */
export function logSigner(auditKey: Uint8Array, origin: string): NoteSigner {
  const seed = createHmac("sha256", auditKey).update(KEY_LABEL).digest();
  const signer = new NoteSigner(origin, seed);
  seed.fill(0);
  return signer;
}

/**
 * Deletes the checkpoints of a log that goes on under another name: the key of that name has not signed them. Call it in
 * a transaction.
 */
export function forgetCheckpoints(sql: Sql): void {
  sql.prepare("DELETE FROM rekey_checkpoints").run();
}

/** A database whose transactions may be lost in a power cut: all of this can be made again. */
interface TransactedSql extends Sql {
  transaction<T>(work: () => T, options: { readonly durable: boolean }): T;
}

const QUICKLY = { durable: false };

/** Rows that are read at once; the tree is stored after each batch, so that an end meanwhile loses little. */
const BATCH_ROWS = 10_000;

/** The checkpoints of a log, and the tree of its rows as far as it was read. */
export class LogCheckpoints {
  constructor(private readonly sql: TransactedSql) {}

  /** All notes, the oldest first. */
  every(): string[] {
    const rows = this.sql.prepare("SELECT note FROM rekey_checkpoints ORDER BY size").all();
    return rows.map(({ note }) => String(note));
  }

  /**
   * Signs the log as it is now. Only rows of its chain are signed: someone who can write the database must not get a row
   * of his own signed.
   *
   * @param most rows that are read for it.
   * @returns the note; `undefined` in an empty log, and when more rows are new than that.
   * @throws {RekeyError} `check_failed` when a row that no checkpoint vouches for was changed, added or taken out.
   */
  make(keys: LogKeys, most = Infinity): string | undefined {
    const hashes = new ChainHashes(keys.auditKey);
    for (let read = 0;; read += BATCH_ROWS) {
      const { tree, newest, isWhole } = this.sql.transaction(
        () => this.#advance(hashes),
        QUICKLY,
      );
      if (newest === null) return undefined;
      if (isWhole) return this.#sign(keys.signer, tree, newest);
      if (read + BATCH_ROWS >= most) return undefined;
    }
  }

  /** Inside a transaction: takes the next rows into the tree. */
  #advance(hashes: ChainHashes): { tree: TreeHead; newest: Head | null; isWhole: boolean } {
    const { tree, head } = this.#known(hashes);
    const walk = new ChainWalk(hashes, head);
    const { parts, isWhole } = partsAfter(this.sql, tree.size, BATCH_ROWS);
    for (const part of parts) {
      const bad = walk.next(part);
      if (bad !== undefined) throw brokenLog(bad);
      if (isGap(part)) tree.join(treeOf(part)!);
      else tree.append(partLine(part));
    }
    if (parts.length > 0) {
      const state = String(tree);
      const hash = walk.head!.hash;
      this.sql.prepare("DELETE FROM rekey_audit_tree").run();
      this.sql.prepare("INSERT INTO rekey_audit_tree (one, state, hash) VALUES (1, ?, ?)")
        .run(`${hashes.tree(state, hash)} ${state}`, hash);
    }
    return { tree, newest: walk.head, isWhole };
  }

  // A state that this log's key has not sealed does not count, nor one that ends inside a gap: the log is read from its
  // first row.
  #known(hashes: ChainHashes): { tree: TreeHead; head: Head | null } {
    const row = this.sql.prepare("SELECT state, hash FROM rekey_audit_tree").get();
    const [, seal, state] = /^(\S+) (.+)$/.exec(String(row?.state)) ?? [];
    const hash = String(row?.hash);
    const tree = state !== undefined && sameText(seal!, hashes.tree(state, hash))
      ? TreeHead.parse(state)
      : undefined;
    const isUsable = tree !== undefined && (gapWith(this.sql, tree.size)?.last ?? 0) <= tree.size;
    return isUsable
      ? { tree, head: { seq: tree.size, hash } }
      : { tree: new TreeHead(), head: null };
  }

  #sign(signer: NoteSigner, tree: TreeHead, head: Head): string {
    const known = this.sql.prepare("SELECT note FROM rekey_checkpoints WHERE size = ?").get(
      tree.size,
    );
    const root = tree.root().toBase64();
    const signed = known && openCheckpoint(signer.verifier, String(known.note));
    if (signed?.root === root && signed.head.hash === head.hash) return String(known!.note);
    const origin = signer.verifier.name;
    const note = signer.sign(checkpointText({ origin, size: tree.size, root, head }));
    this.sql.transaction(
      () =>
        this.sql.prepare("INSERT OR REPLACE INTO rekey_checkpoints (size, note) VALUES (?, ?)")
          .run(tree.size, note),
      QUICKLY,
    );
    return note;
  }
}
