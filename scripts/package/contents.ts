import { join } from "node:path";
import { DEFAULT_APP } from "../../src/core/app.ts";
import { completionScript } from "../../src/cli/commands/completions.ts";
import { launchdJob } from "../../src/cli/schedule/launchd.ts";
import { systemdUnits } from "../../src/cli/schedule/systemd.ts";
import { windowsTask } from "../../src/cli/schedule/windows.ts";
import { manualPages } from "./manual.ts";

/** The systems that there are archives for. */
export type System = "linux" | "darwin" | "windows";

/** A file of a package. */
export interface Packed {
  readonly data: Uint8Array | string;
  readonly mode: number;
}

/** What a package is made of. */
export interface Ingredients {
  readonly binary: Uint8Array;
  /** Texts of the licences of its parts, as `rekey version --licenses` prints them. */
  readonly licenses: string;
  readonly version: string;
  /** Seconds since 1970: the time of everything in it. */
  readonly time: number;
  /** Packages are for a test, and compressed as little as may be: most of the time goes into it. */
  readonly quick?: boolean;
}

const read = (name: string) => Deno.readTextFileSync(new URL(name, import.meta.url));
const text = (data: string): Packed => ({ data, mode: 0o644 });

const SHELLS = { bash: "rekey.bash", zsh: "_rekey", fish: "rekey.fish", powershell: "rekey.ps1" };
type Shell = keyof typeof SHELLS;

/** What an archive for one system has beside what all have. */
interface SystemParts {
  readonly binary: string;
  readonly hasManual: boolean;
  readonly shells: readonly Shell[];
  /** What runs rekey by itself there, by places. */
  readonly jobs: () => (readonly [path: string, content: string])[];
}

const SYSTEMS: Record<System, SystemParts> = {
  linux: {
    ...{ binary: "rekey", hasManual: true, shells: ["bash", "zsh", "fish", "powershell"] },
    jobs: () => units().map(([name, unit]) => [`systemd/user/${name}`, unit]),
  },
  darwin: {
    ...{ binary: "rekey", hasManual: true, shells: ["bash", "zsh", "fish", "powershell"] },
    // launchd knows no variables: whoever takes it puts their own home in.
    jobs: () =>
      named("launchd", launchdJob(planFor("/usr/local/bin/rekey", "/Users/NAME"), "user").files),
  },
  windows: {
    ...{ binary: "rekey.exe", hasManual: false, shells: ["powershell"] },
    jobs: () =>
      named("schedule", windowsTask(planFor("C:\\Program Files\\rekey\\rekey.exe", "")).files),
  },
};

/** The manual pages of a version, dated by its commit. */
async function manual({ version, time }: Ingredients) {
  return [...await manualPages(version, new Date(time * 1000).toISOString().slice(0, 10))];
}

// What lies beside README: what it links to.
const BESIDE = ["README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"];

function* filesBelow(folder: string): Generator<string> {
  for (
    const { name, isDirectory } of Deno.readDirSync(new URL(`../../${folder}`, import.meta.url))
  ) {
    if (isDirectory) yield* filesBelow(`${folder}/${name}`);
    else yield `${folder}/${name}`;
  }
}

/** README and everything that it and the pages behind it link to, at the same places relative to each other. */
function documents(): (readonly [string, Packed])[] {
  const pages = [...filesBelow("docs"), ...filesBelow("examples")].sort();
  return [...BESIDE, ...pages, "tests/interop/recover_by_hand.py"].map((path) => {
    const data = Deno.readFileSync(new URL(`../../${path}`, import.meta.url));
    return [path, { data, mode: 0o644 }] as const;
  });
}

function planFor(program: string, home: string) {
  return {
    ...{ app: DEFAULT_APP, program, home },
    args: ["rotate", "--force", "--if-older-than", "90d", "--reason", "scheduled"],
    failure: ["rotate", "--force", "--tell-failure", "--reason", "scheduled"],
    watch: ["deliver", "sync", "--watch"],
    variables: {},
    maxAge: 90 * 86_400,
    // There may be deliveries, whose programs are asked.
    ...{ hour: 3, minute: 0, reachesOut: true },
  };
}

function units(): (readonly [name: string, content: string])[] {
  const { files } = systemdUnits(planFor("/usr/bin/rekey", ""), {
    ...{ of: "user", credential: undefined, config: "" },
  });
  return [["rekey-serve.service", read("rekey-serve.service")], ...named("", files)];
}

function named(folder: string, files: readonly { path: string; content: string }[]) {
  return files.map(({ path, content }) =>
    [join(folder, path.replace(/^.*\//, "")), content] as const
  );
}

/** Files of the archive for machines without a package manager. */
export async function archiveFiles(
  ingredients: Ingredients,
  system: System,
): Promise<Map<string, Packed>> {
  const { binary, hasManual, shells, jobs } = SYSTEMS[system];
  return new Map([
    [binary, { data: ingredients.binary, mode: 0o755 }],
    ...documents(),
    ["LICENSES.txt", text(ingredients.licenses)],
    ...(hasManual ? await manual(ingredients) : [])
      .map(([name, page]) => [`man/${name}`, text(page)] as const),
    ...shells.map((shell) =>
      [`completions/${SHELLS[shell]}`, text(completionScript(shell))] as const
    ),
    ...jobs().map(([path, content]) => [path, text(content)] as const),
  ]);
}

/** Files of the Debian package, by their places. */
export async function debianFiles(ingredients: Ingredients): Promise<Map<string, Packed>> {
  const places = [
    ["bash", "usr/share/bash-completion/completions/rekey"],
    ["zsh", "usr/share/zsh/vendor-completions/_rekey"],
    ["fish", "usr/share/fish/vendor_completions.d/rekey.fish"],
  ] as const;
  return new Map([
    ["usr/bin/rekey", { data: ingredients.binary, mode: 0o755 }],
    // rekey's own licence, and those of its parts.
    ["usr/share/doc/rekey/copyright", text(`${read("../../LICENSE")}\n${ingredients.licenses}`)],
    ...documents().map(([path, packed]) => [`usr/share/doc/rekey/${path}`, packed] as const),
    ...(await manual(ingredients)).map(([name, page]) =>
      [`usr/share/man/man${name.at(-1)}/${name}`, text(page)] as const
    ),
    ...places.map(([shell, place]) => [place, text(completionScript(shell))] as const),
    ...units().map(([name, unit]) => [`usr/lib/systemd/user/${name}`, text(unit)] as const),
  ]);
}
