/**
 * What to do once other users cannot read the KEK any more.
 *
 * @param path file of the key or the passphrase.
 * @param shown its permissions until then: `mode 0644`.
 */
export function exposedKey(path: string, shown: string): string {
  return `other users could read ${path} (${shown}), and so open the sealed values in every copy of the ` +
    "database; they cannot any more, but may have read it: `rekey kek rotate` makes a new KEK";
}
