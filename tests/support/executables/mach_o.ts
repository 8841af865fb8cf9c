/**
 * Mach-O files as the system's loader reads them, and what would keep it from starting one. Nothing here runs macOS, so
 * this is written apart from the build's own code, which cuts and joins the same files.
 */
import { AD_HOC, faultsOfSignature, type Signer } from "./code_signature.ts";

const [MAGIC_64, EXECUTABLE, BUNDLE_OR_DYLIB] = [0xfeedfacf, 2, [6, 8]];
const CPUS: Record<number, "arm64" | "x64"> = { 0x0100000c: "arm64", 0x01000007: "x64" };
const PAGE = { arm64: 0x4000, x64: 0x1000 };

// Of <mach-o/loader.h>.
const LC = {
  symbols: 0x2,
  dynamicSymbols: 0xb,
  loader: 0xe,
  segment: 0x19,
  signature: 0x1d,
  dyldInfo: [0x22, 0x80000022],
  environment: 0x27,
  main: 0x80000028,
  minimum: 0x24,
  build: 0x32,
  libraries: [0xc, 0x80000018, 0x8000001f, 0x20],
  searchPath: 0x8000001c,
};

/** Commands that name one piece of `__LINKEDIT` by its offset and size. */
const PIECES = [0x1d, 0x1e, 0x26, 0x29, 0x2b, 0x2e, 0x36, 0x80000033, 0x80000034];

/** A load command. */
export interface Command {
  readonly type: number;
  readonly at: number;
  readonly size: number;
}

/** A part of the file, and where it is put in memory. */
export interface Segment {
  readonly name: string;
  readonly address: number;
  readonly memory: number;
  readonly offset: number;
  readonly bytes: number;
  /** Where the first section's content begins in the file. */
  readonly first: number;
}

/** What a Mach-O file says of itself. */
export interface MachO {
  readonly file: DataView<ArrayBuffer>;
  readonly cpu: "arm64" | "x64";
  readonly isExecutable: boolean;
  readonly commands: readonly Command[];
  readonly segments: readonly Segment[];
  /** Paths of what it loads, its loader first. */
  readonly loads: readonly string[];
  /** The oldest macOS that runs it, such as `11.0`. */
  readonly minimum: string;
  /** Where its signature begins, and how long it may be. */
  readonly signature: { readonly offset: number; readonly bytes: number } | undefined;
}

/** Reads a file's header and commands. @throws {Error} when it is no 64-bit Mach-O file for a machine of ours. */
export function readMachO(bytes: Uint8Array<ArrayBuffer>): MachO {
  const file = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (at: number) => file.getUint32(at, true);
  const cpu = CPUS[word(4)];
  const kind = word(12);
  const isExecutable = kind === EXECUTABLE;
  if (word(0) !== MAGIC_64 || cpu === undefined) throw new Error("Not a Mach-O file");
  if (!isExecutable && !BUNDLE_OR_DYLIB.includes(kind)) throw new Error(`Of kind ${kind}`);
  const commands: Command[] = [];
  for (let at = 32, left = word(16); left > 0; left--) {
    const command = { type: word(at), at, size: word(at + 4) };
    if (command.size < 8 || command.size % 8 !== 0) throw new Error(`A command of ${command.size}`);
    commands.push(command);
    at += command.size;
  }
  const of = (types: number[]) => commands.filter(({ type }) => types.includes(type));
  const [signature] = of([LC.signature]);
  const minimum = of([LC.minimum]).map(({ at }) => word(at + 8))
    .concat(of([LC.build]).map(({ at }) => word(at + 12)));
  return {
    file,
    cpu,
    isExecutable,
    commands,
    segments: of([LC.segment]).map(({ at }) => segmentAt(file, at)),
    loads: of([LC.loader, ...LC.libraries]).map((command) => textOf(file, command)),
    minimum: minimum.map((version) => `${version >>> 16}.${(version >>> 8) & 0xff}`).join(" "),
    signature: signature && { offset: word(signature.at + 8), bytes: word(signature.at + 12) },
  };
}

function segmentAt(file: DataView, at: number): Segment {
  const long = (offset: number) => Number(file.getBigUint64(at + offset, true));
  const [address, memory, offset, bytes] = [24, 32, 40, 48].map(long) as [
    number,
    number,
    number,
    number,
  ];
  const sections = Array.from(
    { length: file.getUint32(at + 64, true) },
    (_, i) => at + 72 + 80 * i,
  );
  // What is filled with zeros has no content in the file.
  const contents = sections.map((section) => file.getUint32(section + 48, true)).filter(Boolean);
  return {
    name: cString(file, at + 8, 16),
    ...{ address, memory, offset, bytes },
    first: Math.min(Infinity, ...contents),
  };
}

function textOf(file: DataView, { at, size }: Command): string {
  const offset = file.getUint32(at + 8, true);
  return cString(file, at + offset, size - offset);
}

/** Text up to a zero byte. */
export function cString(file: DataView, at: number, longest: number): string {
  const bytes = new Uint8Array(file.buffer, file.byteOffset + at, longest);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(bytes.subarray(0, end < 0 ? longest : end));
}

/**
 * Reasons why macOS would refuse a file, or load something that is not the system's; none when it is sound.
 *
 * @param signer whose signature it is to have, if it has one.
 */
export function faultsOf(bytes: Uint8Array<ArrayBuffer>, signer: Signer = AD_HOC): string[] {
  const macho = readMachO(bytes);
  return [
    ...faultsOfCommands(macho),
    ...faultsOfSegments(macho),
    ...faultsOfPieces(macho),
    ...faultsOfLoads(macho),
    ...macho.signature === undefined ? [] : faultsOfSignature(macho, signer),
  ];
}

function faultsOfCommands({ file, commands, segments, isExecutable }: MachO): string[] {
  const size = commands.reduce((sum, command) => sum + command.size, 0);
  const first = Math.min(...segments.map((segment) => segment.first));
  return [
    size === file.getUint32(20, true) ? "" : "The commands have another size than the header says",
    32 + size <= first ? "" : "The commands lie over a section",
    isExecutable && !commands.some(({ type }) => type === LC.main) ? "There is no entry point" : "",
    commands.some(({ type }) => type === LC.environment) ? "It sets variables of the loader" : "",
    commands.some(({ type }) => type === LC.searchPath) ? "It names folders to search" : "",
  ].filter(Boolean);
}

function faultsOfSegments({ file, cpu, segments, isExecutable }: MachO): string[] {
  const faults: string[] = [];
  const page = PAGE[cpu];
  let [offset, address] = [0, isExecutable ? -1 : 0];
  for (const at of segments) {
    const fault = (what: string) => void faults.push(`${at.name} ${what}`);
    // What is behind the end of the last one is filled up by the system.
    const ends = at.name === "__LINKEDIT" ? [] : [at.memory];
    if ([at.address, at.offset, ...ends].some((number) => number % page !== 0)) {
      fault("is not aligned to pages");
    }
    if (at.bytes > at.memory) fault("has more bytes than memory");
    if (at.offset < offset && at.bytes > 0) fault("overlaps the one before it in the file");
    if (at.address < address) fault("overlaps the one before it in memory");
    if (at.offset + at.bytes > file.byteLength) fault("ends behind the file");
    [offset, address] = [Math.max(offset, at.offset + at.bytes), at.address + at.memory];
  }
  const last = segments.at(-1);
  if (last?.name !== "__LINKEDIT") faults.push("__LINKEDIT is not the last segment");
  else if (last.offset + last.bytes !== file.byteLength) {
    faults.push("__LINKEDIT does not end with the file");
  }
  return faults;
}

// The loader refuses a file whose tables lie outside of the segment that it has mapped for them.
function faultsOfPieces({ file, commands, segments }: MachO): string[] {
  const linkedit = segments.find(({ name }) => name === "__LINKEDIT");
  if (linkedit === undefined) return [];
  const word = (at: number) => file.getUint32(at, true);
  const isInside = ([offset, bytes]: readonly [number, number]) =>
    bytes === 0 ||
    (offset >= linkedit.offset && offset + bytes <= linkedit.offset + linkedit.bytes);
  const pieces = (command: Command) => {
    const pair = (at: number, unit = 1) => [word(at), word(at + 4) * unit] as const;
    const { type, at } = command;
    if (PIECES.includes(type)) return [pair(at + 8)];
    if (LC.dyldInfo.includes(type)) return [8, 16, 24, 32, 40].map((from) => pair(at + from));
    if (type === LC.dynamicSymbols) return [pair(at + 56, 4)];
    return type === LC.symbols ? [pair(at + 8, 16), pair(at + 16)] : [];
  };
  return commands.filter((command) => !pieces(command).every(isInside))
    .map(({ type }) => `The table of command ${type.toString(16)} is not in __LINKEDIT`);
}

// Whatever else it named could be put there by others.
function faultsOfLoads({ loads }: MachO): string[] {
  return loads.filter((path) => !/^\/(usr\/lib|System\/Library)\/(?!.*\.\.)/.test(path))
    .map((path) => `It loads ${path}, which is not the system's`);
}
