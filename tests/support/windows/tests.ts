import { WindowsBox } from "./box.ts";
import { withoutWindows } from "./image.ts";

/** Where a secret is kept on a Windows machine. */
export type Location = "keyring" | "database";

/** Registers a test that is run on a new Windows machine for each location, as `--store auto` chooses it. */
export function onWindows(
  name: string,
  test: (box: WindowsBox, location: Location) => Promise<void>,
  locations: readonly Location[] = ["keyring", "database"],
): void {
  for (const location of locations) {
    Deno.test({
      name: `on Windows, in the ${location}: ${name}`,
      ignore: withoutWindows(),
      async fn() {
        const env = location === "keyring" ? {} : { REKEY_STORE: location };
        await using box = await WindowsBox.boot(env);
        await test(box, location);
      },
    });
  }
}
