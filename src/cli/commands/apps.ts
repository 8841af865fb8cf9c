import { rfc3339 } from "../../core/clock.ts";
import { isAhead } from "../../secret/age.ts";
import { type KnownApp, knownApps } from "../../store/known_apps.ts";
import type { Context } from "../context.ts";
import { describeSeconds, printable } from "../describe.ts";

/** Lists the apps whose secrets this user's rekey knows, and where they are; never a value. */
export function apps(_options: unknown, { secrets, output }: Context): Promise<void> {
  const { environment } = secrets;
  const known = knownApps(environment);
  const now = environment.clock();
  if (output.options.json) known.forEach((one) => output.line(described(one, now)));
  else output.table([["APP", "VERSION", "LOCATION", "AGE", "FOLDER"], ...known.map(cells(now))]);
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

// What a clock that was ahead has made may be of any age.
function describeAge(createdAt: number, now: number): string {
  return isAhead(createdAt, now) ? "not known" : describeSeconds(ageOf(createdAt, now));
}

// Not below zero, should the clock have been set back.
function ageOf(createdAt: number, now: number): number {
  return Math.max(0, Math.floor((now - createdAt) / 1000));
}
