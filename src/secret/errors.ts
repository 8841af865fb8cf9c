import { RekeyError } from "../core/errors.ts";

/** No secret anywhere, and none was asked for. */
export function notInitialised(app: string): RekeyError {
  return new RekeyError(
    "not_initialised",
    `Cannot find a JWT secret of app ${JSON.stringify(app)}`,
    {
      hint: "Make one with `rekey init`",
    },
  );
}
