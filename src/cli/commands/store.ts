import { currentSlot, type Location, placeName } from "../../core/location.ts";
import { asRefusal } from "../../core/errors.ts";
import { isPassingCopy } from "../../secret/keyring/unsaved.ts";
import { CHOSEN, warnOfRisk } from "../warnings.ts";
import type { Context } from "../context.ts";
import { describeSeconds, printable, table } from "../format.ts";
import { resolve } from "node:path";
import { kekSupplied } from "../../store/sealed/kek_sources.ts";
import { rfc3339 } from "../../core/clock.ts";
import { isAhead } from "../../secret/age.ts";
import { type KnownApp, knownApps } from "../../store/known_apps.ts";

/** Shows where the secret lives, and whether the keyring answers. */
export async function storeShow(_options: unknown, { secrets, output }: Context): Promise<void> {
  const { installation, version } = await secrets.open();
  const { keyring, store, sealed, database } = installation;
  const slot = currentSlot(version);
  const mirrored = version.location === "keyring" && sealed.sealedValue(slot) !== undefined &&
    !isPassingCopy(installation, version);
  const asked = version.location === "keyring" ? keyring.reach(slot) : keyring.mustTake(slot);
  const refusal = await asked.then(() => undefined, asRefusal);
  const app = secrets.environment.app.name;
  const { version: number, kid, location } = version;
  output.result(
    {
      app,
      version: number,
      kid,
      location,
      store,
      mirrored,
      keyring: refusal?.code ?? "answers",
      database: database.path,
    },
    table([
      ["app", app],
      ["version", `${number} (kid ${kid})`],
      ["location", location],
      ["next version", store],
      ["mirror copy", mirrored ? "yes" : "no"],
      ["keyring", refusal?.message ?? "answers"],
      ["database", database.path],
    ]),
  );
}

/** Moves the secret to another location. */
export async function storeMove(
  { where: to }: { where: Location },
  context: Context,
): Promise<void> {
  const { secrets, output } = context;
  const { versions, published, chosen } = await secrets.move(to);
  const app = secrets.environment.app.name;
  const moved = versions.map(({ version, kid }) => ({ version, kid }));
  output.result({ app, location: to, moved }, [
    versions.length === 0
      ? `Nothing to do: the JWT secret of ${app} is in ${placeName(to)}`
      : `Moved the JWT secret of ${app} to ${placeName(to)}; its tokens stay valid`,
  ]);
  if (chosen) output.remark(CHOSEN);
  if (!published) {
    output.warning(
      "the keyring could not be updated; the next command that reaches it does so",
    );
  }
  await warnOfRisk(context);
}

/** Flags of `rekey kek rotate`. */
export interface KekRotateFlags {
  readonly toKekFile?: string;
}

/** Reseals all values under a new KEK. */
export async function kekRotate(options: KekRotateFlags, { secrets, output }: Context) {
  const { toKekFile } = options;
  const { id, source, generated } = await secrets.underLock((installation, backend) =>
    backend.rotateKek(installation, toKekFile && resolve(toKekFile))
  );
  output.result({ app: secrets.environment.app.name, kek: { id, source, generated } }, [
    `Everything is sealed under KEK ${id} from ${source}`,
  ]);
  output.remark("The new KEK is remembered: later commands find it");
  if (!kekSupplied(secrets.environment.kek)) return;
  output.warning("--kek-file or a variable names the old KEK: leave it out from now on");
}

/** Lists the apps whose secrets are known here, and their locations. */
export function apps(_options: unknown, { secrets, output }: Context): Promise<void> {
  const { environment } = secrets;
  const known = knownApps(environment);
  const now = environment.clock();
  const headings = ["APP", "VERSION", "LOCATION", "AGE", "FOLDER"];
  output.list(known.map((one) => described(one, now)), [headings, ...known.map(cells(now))]);
  if (known.length === 0) output.remark("No app is known here: `rekey init` makes a secret");
  return Promise.resolve();
}

function described(one: KnownApp, now: number) {
  const { app, folder, database, location, version, createdAt, used, readable } = one;
  return {
    app,
    folder,
    database,
    version,
    location,
    created_at: createdAt === null ? null : rfc3339(createdAt),
    age_seconds: createdAt === null ? null : ageOf(createdAt, now),
    created_in_future: createdAt === null ? null : isAhead(createdAt, now),
    used,
    readable,
  };
}

function cells(now: number) {
  return ({ app, version, location, createdAt, folder, readable, used }: KnownApp) => [
    `${printable(app)}${used ? " *" : ""}`,
    version === null ? readable ? "none" : "unreadable" : String(version),
    location ?? "",
    createdAt === null ? "" : describeAge(createdAt, now),
    printable(folder),
  ];
}

// The age is unknown if the clock was ahead when the version was made.
function describeAge(createdAt: number, now: number): string {
  return isAhead(createdAt, now) ? "not known" : describeSeconds(ageOf(createdAt, now));
}

// Not negative if the clock was set back.
function ageOf(createdAt: number, now: number): number {
  return Math.max(0, Math.floor((now - createdAt) / 1000));
}
