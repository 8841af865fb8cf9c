import type { Context } from "../context.ts";
import { mustBeWanted } from "../terminal.ts";
import { whereLooked } from "../warnings.ts";

/** Flags of `rekey destroy`. */
export interface DestroyFlags {
  readonly force?: boolean;
}

/** Deletes everything that rekey keeps of the app. */
export async function destroy(options: DestroyFlags, context: Context): Promise<void> {
  const { secrets, output, confirm } = context;
  const app = secrets.environment.app.name;
  mustBeWanted(
    options.force ?? false,
    `Delete the JWT secret of ${app}, its users, sessions and audit log for good? Every token becomes worthless.`,
    confirm,
  );
  const destroyed = await secrets.destroy();
  if (!destroyed) output.remark(whereLooked(secrets.environment));
  output.result({ app, destroyed }, [
    destroyed
      ? `Destroyed the JWT secret of ${app}, its keys, users, sessions and audit log`
      : `There is no JWT secret of ${app}`,
  ]);
}
