import { asRefusalOrBug, RekeyError } from "../core/errors.ts";
import type { DeliveryState } from "../store/sqlite/deliveries.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { Confidential } from "./confidential.ts";
import {
  dataOf,
  type Delivery,
  kidsOf,
  markOf,
  mustHavePreset,
  reloadWay,
  rightsOf,
  type VersionSet,
  wantedVersions,
  whatKnows,
} from "./delivery.ts";
import { verifyingKeys } from "./key_set.ts";
import { type NewFile, newFiles } from "./new_files.ts";
import { deliveredPath } from "./places.ts";
import { askAbout, limitFor } from "./questions.ts";
import { eventOf } from "./records.ts";
import { type DeliveryRound, STOPPED } from "./delivery_round.ts";
import { reload, type Surroundings } from "./reload.ts";
import { makeFolders, type Rights } from "./target_folders.ts";
import {
  digestOfBytes,
  digestOnDisk,
  hasRights,
  removePartials,
  removeTarget,
  writeSafeTarget,
} from "./write_target.ts";

/** How far a delivery has come. */
export interface DeliveryOutcome {
  readonly name: string;
  /** The kids that it should hold, the newest first. */
  readonly wanted: readonly string[];
  readonly state: DeliveryState;
  /** Whether anything was done. */
  readonly worked: boolean;
  /** Something that could not be found out. */
  readonly remark: string | undefined;
}

/** Whether a delivery has done all for the present versions and settings, as far as rows and files show. */
export function isUpToDate(delivery: Delivery, versions: VersionSet): boolean {
  const { state } = delivery;
  return state.failure === null &&
    state.mark === markOf(delivery, wantedVersions(delivery, versions)) &&
    isOnDisk(delivery);
}

function isOnDisk(delivery: Delivery): boolean {
  try {
    const rights = rightsOf(delivery.settings);
    return Object.entries(delivery.state.files).every(([name, digest]) => {
      const path = deliveredPath(delivery, name);
      return digestOnDisk(path) === digest && hasRights(path, rights);
    });
  } catch {
    // Writing it says why.
    return false;
  }
}

/** Makes a program hold the keys that it should hold, as far as it does not. A failure is recorded, not thrown. */
export async function deliver(delivery: Delivery, round: DeliveryRound): Promise<DeliveryOutcome> {
  const wanted = wantedVersions(delivery, round.versions);
  const done = (state: DeliveryState, worked: boolean, remark?: string): DeliveryOutcome => ({
    name: delivery.name,
    wanted: kidsOf(wanted),
    state,
    worked,
    remark,
  });
  if (!round.checkOnly && isUpToDate(delivery, round.versions)) {
    return done(delivery.state, false);
  }
  const work = new DeliveryWork(delivery, wanted, round);
  try {
    const remark = await work.run();
    return done(round.checkOnly ? delivery.state : await work.succeeded(), true, remark);
  } catch (error) {
    const isStopped = round.signal.aborted || round.isOver();
    if (isStopped) return done({ ...delivery.state, failure: STOPPED }, true);
    return done(await work.failed(asRefusalOrBug(error).message), true);
  }
}

class DeliveryWork {
  #state: DeliveryState;

  constructor(
    private readonly delivery: Delivery,
    private readonly wanted: VersionSet<Version>,
    private readonly round: DeliveryRound,
  ) {
    this.#state = delivery.state;
  }

  async run(): Promise<string | undefined> {
    const { delivery, round } = this;
    mustHavePreset(delivery);
    refuseAlgorithm(delivery, this.wanted.current);
    const keys = await round.source.keysOf(this.wanted);
    const data = await dataOf(delivery);
    const rights = rightsOf(delivery.settings);
    const files = await newFiles(delivery, keys, data);
    const limitMs = await limitFor(delivery, data, round);
    round.signal.throwIfAborted();
    if (round.checkOnly) this.#mustBeWritten(files);
    else await this.#write(files, rights);
    const contents = digestOfBytes(
      new TextEncoder().encode(files.map(({ digest }) => digest).join()),
    );
    // The same contents were proven before a prepared key became the current one.
    const isProven = this.#state.proven === contents && this.#leaving().length === 0;
    if (isProven && !round.checkOnly) return undefined;
    const remark = await this.#haveFollow(files, { data, keys }, limitMs);
    this.#state = { ...this.#state, proven: contents };
    return remark;
  }

  /** Tells the program, and asks it. @returns something that could not be found out. */
  async #haveFollow(
    files: readonly NewFile[],
    { data, keys }: Pick<Surroundings, "data" | "keys">,
    limitMs: number | undefined,
  ): Promise<string | undefined> {
    const { delivery, round } = this;
    const { name, settings: { path, role } } = delivery;
    const { variables, signal, checkOnly } = round;
    const confidential = new Confidential([...verifyingKeys(keys), ...round.before]);
    const around = { name, path, role, data, keys, confidential, variables, signal };
    if (!checkOnly) await this.#reload(around);
    const remark = await askAbout(delivery, { leaving: this.#leaving(), limitMs }, around, round);
    if (checkOnly) this.#mustHaveFollowed();
    // A reload may write to the file itself.
    else if (reloadWay(delivery) !== undefined) this.#mustBeWritten(files);
    return remark;
  }

  succeeded(): Promise<DeliveryState> {
    return this.#record({
      ...this.#state,
      confirmed: kidsOf(this.wanted),
      mark: markOf(this.delivery, this.wanted),
      followed_at: this.round.now(),
      failed_at: null,
      failure: null,
    });
  }

  failed(failure: string): Promise<DeliveryState> {
    const failed_at = this.round.now();
    return this.#record({ ...this.#state, mark: null, proven: null, failed_at, failure });
  }

  async #record(state: DeliveryState): Promise<DeliveryState> {
    const { name, state: before } = this.delivery;
    const event = eventOf(before, state);
    const reason = state.failure ?? `kid ${state.confirmed.join(", ")}`;
    await this.round.records.set(name, state, event, reason);
    return this.#state = state;
  }

  #mustBeWritten(files: readonly NewFile[]): void {
    const wrong = files.find(({ path, digest }) => digestOnDisk(path) !== digest);
    if (wrong === undefined) return;
    const isMissing = digestOnDisk(wrong.path) === undefined;
    const what = isMissing ? "is missing" : "has other contents than it should";
    throw new RekeyError("failed", `${wrong.path} ${what}`);
  }

  // A program that answers well may still have to be told of something.
  #mustHaveFollowed(): void {
    if (isUpToDate(this.delivery, this.round.versions)) return;
    throw new RekeyError("failed", "it answers well, but its last delivery failed or was cut off");
  }

  async #write(files: readonly NewFile[], rights: Rights): Promise<void> {
    const { delivery, round } = this;
    const changed = files.filter((file) => this.#isChanged(file, rights));
    const digests = Object.fromEntries(files.map(({ name, digest }) => [name, digest]));
    const gone = Object.keys(this.#state.files).filter((name) => !Object.hasOwn(digests, name));
    const claimed = { ...this.#state.files, ...digests };
    // Only a command that was killed or failed leaves anything; and the file itself may be as it should be.
    if (delivery.state.mark === null) {
      for (const name of Object.keys(claimed)) removePartials(deliveredPath(delivery, name));
    }
    this.#makeRoom(changed, rights);
    // Noted first: a command that is killed in the middle leaves files that are known to be rekey's.
    this.#state = {
      ...this.#state,
      files: claimed,
      written: [...new Set([...this.#state.written, ...kidsOf(this.wanted)])],
      replacing: this.#replacing(digests),
      mark: null,
    };
    if (changed.length > 0) {
      // The program may have read what was there meanwhile.
      this.#state = { ...this.#state, proven: null };
      await round.records.set(delivery.name, this.#state);
    }
    await Promise.all(changed.map(({ path, bytes }) => writeSafeTarget(path, bytes, rights)));
    // New keys come before the old ones leave.
    for (const name of gone) removeTarget(deliveredPath(delivery, name), rights);
    const written = kidsOf(this.wanted);
    this.#state = { ...this.#state, files: digests, replacing: [], written };
  }

  /** Whether what was written last is another file, or what is there. */
  #isChanged({ name, path, digest }: NewFile, rights: Rights): boolean {
    return (this.#state.files[name] ?? digest) !== digest || digestOnDisk(path) !== digest ||
      !hasRights(path, rights);
  }

  /** Makes the folders of files. @throws {RekeyError} when one is unsafe, or holds a file that rekey did not write. */
  #makeRoom(files: readonly NewFile[], rights: Rights): void {
    const { delivery: { preset, settings }, round } = this;
    for (const file of files) this.#refuseForeign(file, round.force || settings.replaces);
    const ours = preset.layout === "folder" ? settings.path : undefined;
    for (const { path } of files) {
      const made = makeFolders(path, ours, rights);
      if (made.length > 0) {
        // In memory they are gone with each start of the machine, and made again.
        const all = new Set([...this.#state.folders ?? [], ...made]);
        this.#state = { ...this.#state, folders: [...all].sort() };
      }
      round.folders.refuseUnsafe(path, rights);
    }
  }

  /** Digests of what may be at the paths until new files are there: several after as many kills. */
  #replacing(digests: Readonly<Record<string, string>>): string[] {
    const { files, replacing = [] } = this.#state;
    const former = Object.entries(files).filter(([name, digest]) =>
      (digests[name] ?? digest) !== digest
    ).map(([, digest]) => digest);
    return [...new Set([...replacing, ...former])].slice(-MOST_REPLACING);
  }

  #refuseForeign({ name, path, digest }: NewFile, mayReplace: boolean): void {
    if (mayReplace || Object.hasOwn(this.#state.files, name)) return;
    const found = digestOnDisk(path);
    if (found === undefined || found === digest) return;
    throw new RekeyError("failed", `${path} is there already, and rekey did not write it`, {
      hint: "Move it away, or replace it with --force",
    });
  }

  async #reload(around: Surroundings): Promise<void> {
    const way = reloadWay(this.delivery);
    if (way === undefined) return;
    const isForRemoval = "only_for" in way && way.only_for === "removal";
    if (isForRemoval && this.#leaving().length === 0) return;
    const failure = await reload(way, around);
    if (failure !== undefined) throw new RekeyError("failed", failure);
  }

  /** Kids that the program may still hold. */
  #leaving(): string[] {
    const { written, confirmed } = this.delivery.state;
    const wanted = kidsOf(this.wanted);
    return [...new Set([...written, ...confirmed])].filter((kid) => !wanted.includes(kid));
  }
}

// More are the work of as many commands that were killed in the middle, one after the other.
const MOST_REPLACING = 100;

function refuseAlgorithm(delivery: Delivery, { alg }: Version): void {
  const { preset } = delivery;
  if (preset.algorithms.includes(alg)) return;
  throw new RekeyError("failed", `${whatKnows(delivery)}, and the secret is for ${alg}`, {
    hint: `\`rekey rotate --alg ${preset.algorithms[0]}\` makes one that it knows`,
  });
}
