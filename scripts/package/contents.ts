import { DEFAULT_APP } from "../../src/core/app.ts";
import { completionScript } from "../../src/cli/completion/scripts.ts";
import { systemdUnits } from "../../src/cli/schedule/systemd.ts";
import { manualPages } from "./manual.ts";

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
}

const read = (name: string) => Deno.readTextFileSync(new URL(name, import.meta.url));
const text = (data: string): Packed => ({ data, mode: 0o644 });

/** Manual pages, completions and units, by what they are and their names. */
function extras({ version, time }: Ingredients) {
  const date = new Date(time * 1000).toISOString().slice(0, 10);
  return {
    manual: [...manualPages(version, date)],
    completions: (["bash", "zsh", "fish", "powershell"] as const)
      .map((shell) => [shell, completionScript(shell)] as const),
    units: [["rekey-serve.service", read("rekey-serve.service")] as const, ...rotationUnits()],
  };
}

/** README and everything that it and the pages behind it link to, at the same places relative to each other. */
function documents(): (readonly [string, Packed])[] {
  const pages = [...Deno.readDirSync(new URL("../../docs", import.meta.url))]
    .map(({ name }) => `docs/${name}`).sort();
  return ["README.md", "SECURITY.md", ...pages, "tests/interop/recover_by_hand.py"].map((path) => {
    const data = Deno.readFileSync(new URL(`../../${path}`, import.meta.url));
    return [path, { data, mode: 0o644 }] as const;
  });
}

function rotationUnits() {
  const plan = {
    app: DEFAULT_APP,
    program: "/usr/bin/rekey",
    args: ["rotate", "--force", "--if-older-than", "90d", "--reason", "scheduled"],
    failure: ["rotate", "--force", "--tell-failure", "--reason", "scheduled"],
    variables: {},
    maxAge: 90 * 86_400,
    ...{ hour: 3, minute: 0, reachesOut: false, home: "" },
  };
  return systemdUnits(plan, { of: "user", credential: undefined, config: "" }).files
    .map(({ path, content }) => [path.replace(/^.*\//, ""), content] as const);
}

/** Files of the archive for machines without a package manager. */
export function archiveFiles(ingredients: Ingredients): Map<string, Packed> {
  const { manual, completions, units } = extras(ingredients);
  const endings = {
    bash: "rekey.bash",
    zsh: "_rekey",
    fish: "rekey.fish",
    powershell: "rekey.ps1",
  };
  return new Map([
    ["rekey", { data: ingredients.binary, mode: 0o755 }],
    ...documents(),
    ["LICENSES.txt", text(ingredients.licenses)],
    ...manual.map(([name, page]) => [`man/${name}`, text(page)] as const),
    ...completions.map(([shell, script]) =>
      [`completions/${endings[shell]}`, text(script)] as const
    ),
    ...units.map(([name, unit]) => [`systemd/user/${name}`, text(unit)] as const),
  ]);
}

/** Files of the Debian package, by their places. */
export function debianFiles(ingredients: Ingredients): Map<string, Packed> {
  const { manual, completions, units } = extras(ingredients);
  const places = {
    bash: "usr/share/bash-completion/completions/rekey",
    zsh: "usr/share/zsh/vendor-completions/_rekey",
    fish: "usr/share/fish/vendor_completions.d/rekey.fish",
    powershell: undefined,
  };
  return new Map([
    ["usr/bin/rekey", { data: ingredients.binary, mode: 0o755 }],
    ["usr/share/doc/rekey/copyright", text(ingredients.licenses)],
    ...documents().map(([path, packed]) => [`usr/share/doc/rekey/${path}`, packed] as const),
    ...manual.map(([name, page]) =>
      [`usr/share/man/man${name.at(-1)}/${name}`, text(page)] as const
    ),
    ...completions.flatMap(([shell, script]) =>
      places[shell] === undefined ? [] : [[places[shell], text(script)] as const]
    ),
    ...units.map(([name, unit]) => [`usr/lib/systemd/user/${name}`, text(unit)] as const),
  ]);
}
