import { type Location, placeName } from "../../core/secret_store.ts";
import { placesOf } from "../../secret/locations.ts";
import { warnOfRisk } from "../warnings.ts";
import type { Context } from "../context.ts";
import { table } from "../describe.ts";

/** Shows where the secret lives, and whether the keyring answers. */
export async function storeShow(_options: unknown, { secrets, output }: Context): Promise<void> {
  const { installation, version } = await secrets.open();
  const { store, mirrored, keyring, database } = await placesOf(installation, version);
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
      keyring: keyring?.code ?? "answers",
      database,
    },
    table([
      ["app", app],
      ["version", `${number} (kid ${kid})`],
      ["location", location],
      ["next version", store],
      ["mirror copy", mirrored ? "yes" : "no"],
      ["keyring", keyring?.message ?? "answers"],
      ["database", database],
    ]),
  );
}

/** Moves the secret to another location. */
export async function storeMove(to: Location, context: Context): Promise<void> {
  const { secrets, output } = context;
  const { versions, published } = await secrets.move(to);
  const app = secrets.environment.app.name;
  const moved = versions.map(({ version, kid }) => ({ version, kid }));
  output.result({ app, location: to, moved }, [
    versions.length === 0
      ? `Nothing to do: the JWT secret of ${app} is in ${placeName(to)}`
      : `Moved the JWT secret of ${app} to ${placeName(to)}; its tokens stay valid`,
  ]);
  if (!published) {
    output.warning(
      "the keyring could not be brought up to date; the next command that reaches it does it",
    );
  }
  await warnOfRisk(context);
}
