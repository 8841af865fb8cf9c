import type { MethodCall } from "./dbus_message.ts";
import { busText, type Reader, type Writer } from "./dbus_wire.ts";
import { ALGORITHM, type SecretSession } from "./session.ts";

// The calls of the Secret Service API that rekey makes, and how their answers are read. They go to whichever program
// provides the service; put the `destination` of one connection in its place to reach that one only.

/** The well-known name of the Secret Service on a session bus. */
export const SECRETS = "org.freedesktop.secrets";
const SERVICE_PATH = "/org/freedesktop/secrets";
const INTERFACE = "org.freedesktop.Secret";
// The same as the addon's library uses, so that each finds what the other wrote.
const CONTENT_TYPE = "application/octet-stream";

/** An item of the keyring, as the addon's library names it. */
export interface ItemName {
  readonly service: string;
  readonly account: string;
}

/** The arguments of a call that takes strings only. */
export function strings(...values: string[]): Pick<MethodCall, "signature" | "body"> {
  return {
    signature: "s".repeat(values.length),
    body: (to) => values.forEach((value) => to.string(value)),
  };
}

/** Asks for the path of the default collection: `/` when there is none. Answer: `o`. */
export const READ_DEFAULT: MethodCall = { ...service("ReadAlias"), ...strings("default") };

/** Searches all items of a service name, or one of its accounts. Answer: `aoao`, see {@linkcode foundItems}. */
export function searchItems({ service: name, account }: Partial<ItemName>): MethodCall {
  const attributes = [["service", name], ["username", account]]
    .filter(([, value]) => value !== undefined) as [string, string][];
  return {
    ...service("SearchItems"),
    signature: "a{ss}",
    body: (to) => writeAttributes(to, attributes),
  };
}

/** The paths in the answer of `SearchItems`. */
export function foundItems(answer: Reader): { unlocked: string[]; locked: string[] } {
  const found = { unlocked: answer.objectPaths(), locked: answer.objectPaths() };
  answer.end();
  return found;
}

/** Opens a session with an encryption key of its own. Answer: `vo`, see {@linkcode openedSession}. */
export function openSession(publicKey: Uint8Array): MethodCall {
  return {
    ...service("OpenSession"),
    signature: "sv",
    body: (to) => to.string(ALGORITHM).signature("ay").byteArray(publicKey),
  };
}

/** The service's public key and the session's path, in the answer of `OpenSession`. */
export function openedSession(answer: Reader): { publicKey: Uint8Array; path: string } {
  const opened = { publicKey: answer.variant("ay").byteArray(), path: answer.objectPath() };
  answer.end();
  return opened;
}

/** Unlocks items. Answer: `aoo`, the unlocked ones and a prompt. */
export function unlock(paths: readonly string[]): MethodCall {
  return { ...service("Unlock"), signature: "ao", body: (to) => to.objectPaths(paths) };
}

/** Reads the value of an item. Answer: `(oayays)`, see {@linkcode secretValue}. */
export function getSecret(path: string, sessionPath: string): MethodCall {
  return { ...itemCall(path, "GetSecret"), signature: "o", body: (to) => to.string(sessionPath) };
}

/** Deletes an item. Answer: `o`, a prompt. */
export function deleteItem(path: string): MethodCall {
  return itemCall(path, "Delete");
}

/** The decrypted value in the answer of `GetSecret`. */
export function secretValue(answer: Reader, session: SecretSession): string {
  answer.objectPath();
  const [initial, sealed] = [answer.byteArray(), answer.byteArray()];
  answer.string();
  answer.end();
  const value = session.open(initial, sealed);
  try {
    return busText(value);
  } finally {
    value.fill(0);
  }
}

/** Replaces the value of an item. Answer: nothing. */
export function setSecret(path: string, secret: (to: Writer) => void): MethodCall {
  return { ...itemCall(path, "SetSecret"), signature: "(oayays)", body: secret };
}

/** Creates an item in a collection. Answer: `oo`, the item and a prompt. */
export function createItem(
  collection: string,
  { service, account }: ItemName,
  secret: (to: Writer) => void,
): MethodCall {
  const label = `keyring:${account}@${service}`;
  return {
    destination: SECRETS,
    path: collection,
    interface: `${INTERFACE}.Collection`,
    member: "CreateItem",
    signature: "a{sv}(oayays)b",
    body: (to) => {
      to.structs([
        (of) => of.string(`${INTERFACE}.Item.Label`).signature("s").string(label),
        (of) =>
          writeAttributes(
            of.string(`${INTERFACE}.Item.Attributes`).signature("a{ss}"),
            [["service", service], ["username", account]],
          ),
      ]);
      secret(to.align(8));
      to.boolean(true);
    },
  };
}

/** Writes a value as the specification's `Secret`, encrypted for the session. */
export function writeSecret(session: SecretSession, sessionPath: string, value: string) {
  return (to: Writer): void => {
    const bytes = new TextEncoder().encode(value);
    const { initial, sealed } = session.seal(bytes);
    bytes.fill(0);
    to.string(sessionPath).byteArray(initial).byteArray(sealed).string(CONTENT_TYPE);
  };
}

/** Shows a prompt to the user; it ends with the signal `Completed`. Answer: nothing. */
export function showPrompt(path: string): MethodCall {
  const of = { destination: SECRETS, path, interface: `${INTERFACE}.Prompt` };
  return { ...of, member: "Prompt", ...strings("") };
}

/** The rule by which the bus passes on the end of a prompt. */
export function promptRule(path: string): string {
  return `type='signal',interface='${INTERFACE}.Prompt',member='Completed',path='${path}'`;
}

/** Reads a property of a collection. Answer: `v`. */
export function collectionProperty(path: string, name: "Label" | "Locked"): MethodCall {
  return property(path, `${INTERFACE}.Collection`, name);
}

/** Reads the paths of all collections. Answer: `v` of `ao`. */
export const COLLECTIONS = property(SERVICE_PATH, `${INTERFACE}.Service`, "Collections");

function property(path: string, of: string, name: string): MethodCall {
  return {
    destination: SECRETS,
    path,
    interface: "org.freedesktop.DBus.Properties",
    member: "Get",
    ...strings(of, name),
  };
}

function service(member: string): MethodCall {
  return {
    destination: SECRETS,
    path: SERVICE_PATH,
    interface: `${INTERFACE}.Service`,
    member,
  };
}

function itemCall(path: string, member: string): MethodCall {
  return { destination: SECRETS, path, interface: `${INTERFACE}.Item`, member };
}

function writeAttributes(to: Writer, attributes: readonly (readonly [string, string])[]): void {
  to.structs(attributes.map(([name, value]) => (of) => of.string(name).string(value)));
}
