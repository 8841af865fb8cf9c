import { withCallersUmask } from "../umask.ts";

/** What opens the KEK is rekey's: a program is given one secret, and not what opens all of them. */
const OWN = [
  "REKEY_KEK_FILE",
  "REKEY_KEK_COMMAND",
  "REKEY_PASSPHRASE_FILE",
  "REKEY_PASSPHRASE_COMMAND",
];

/** Does something with the umask and the environment that a program of the caller's is to have. */
export function inCallersSurroundings<T>(work: () => T): T {
  const own = OWN.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  own.forEach(([name]) => Deno.env.delete(name));
  try {
    return withCallersUmask(work);
  } finally {
    own.forEach(([name, value]) => Deno.env.set(name, value));
  }
}
