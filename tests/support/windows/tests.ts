import { installed, unless } from "../faults/faults.ts";
import { sample } from "../process/sample.ts";
import { WindowsBox } from "./box.ts";
import { withoutWindows } from "./image.ts";

/** Where a secret is kept on a Windows machine. */
export type Location = "keyring" | "database";

/** `ignore` for a test that needs {@linkcode WindowsBox.rekeyInConsole}. */
export const WITHOUT_CONSOLE = unless(installed("python3"), "python3");

let turn = 0;

/**
 * Registers a test that is run on a new Windows machine for each location, as `--store auto` chooses it; but with
 * `deno task thorough`, tests for both have them in turn.
 *
 * @param ignore whether something else is missing that the test needs.
 */
export function onWindows(
  name: string,
  test: (box: WindowsBox, location: Location) => Promise<void>,
  locations: readonly Location[] = ["keyring", "database"],
  ignore = false,
): void {
  for (const location of locations.length > 1 ? sample(locations, 2, turn++ % 2) : locations) {
    Deno.test({
      name: `on Windows, in the ${location}: ${name}`,
      ignore: withoutWindows() || ignore,
      async fn() {
        const env = location === "keyring" ? {} : { REKEY_STORE: location };
        await using box = await WindowsBox.boot(env);
        await test(box, location);
      },
    });
  }
}
