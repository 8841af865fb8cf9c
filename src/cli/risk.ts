import { isRekeyError } from "../core/errors.ts";
import { warningsOfRisk } from "../secret/warnings.ts";
import type { Context } from "./context.ts";

/** Says after a command that has written to the keyring when the secret could still be lost. */
export async function warnOfRisk({ secrets, output }: Context): Promise<void> {
  try {
    const { installation } = await secrets.open();
    for (const text of warningsOfRisk(installation)) output.warning(text);
  } catch (error) {
    // What was done is done; the next command says what is wrong.
    if (!isRekeyError(error)) throw error;
  }
}
