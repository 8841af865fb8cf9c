import type { App, Folders } from "../core/app.ts";
import { quoted, RekeyError } from "../core/errors.ts";
import { HERE } from "./here.ts";
import type { UserEnvironment } from "./system.ts";

/**
 * Where an app's files live.
 *
 * @param dataDir the folder that the operator named.
 * @throws {RekeyError} `usage` when no folder is named and there is no home folder, one cannot be what was meant, or the
 * system has no files of the app's name.
 */
export function foldersFor(
  app: App,
  around: UserEnvironment,
  dataDir?: string,
  { paths } = HERE,
): Folders {
  const fault = paths.faultOfName(app.name);
  if (fault !== undefined) throw unusableName(app, fault);
  const { data, config, cache } = paths.baseFolders(around);
  return {
    data: dataDir ?? paths.join(needed(data), app.name),
    defaultData: data && paths.join(data, app.name),
    dataNamed: dataDir !== undefined,
    config,
    cache,
  };
}

function needed(folder: string | undefined): string {
  if (folder !== undefined) return folder;
  throw new RekeyError("usage", "Cannot tell where to keep the data: there is no home folder", {
    hint: "Name a folder with --data-dir or REKEY_DATA_DIR, or set HOME to a whole path",
  });
}

function unusableName({ name }: App, fault: string): RekeyError {
  return new RekeyError("usage", `Cannot use ${quoted(name)} as an app name: ${fault}`, {
    hint: "Name the app otherwise, with --app or REKEY_APP",
  });
}
