/** Programs that provide the Secret Service and that the tests run for real. */
export const WALLETS = ["gnome-keyring", "kwallet", "keepassxc"] as const;

export type WalletName = typeof WALLETS[number];

/** What a wallet is like when it is started for the first time. */
export interface WalletOptions {
  /** There is no wallet, database or default collection: as on a machine where none was ever made. */
  readonly bare?: boolean;
  /** KeePassXC asks before each access, as it does when nothing is set. */
  readonly confirming?: boolean;
  /** The X display that KeePassXC's windows are on; else it has none. */
  readonly display?: string;
}

/** The user whose wallet it is. */
export interface WalletUser {
  readonly home: string;
  /** The environment that programs of the user's session have. */
  readonly session: Readonly<Record<string, string>>;
  /** Runs a program in the session; answers its stdout. @throws when it fails. */
  tell(program: string, args: readonly string[]): Promise<string>;
}

/** A provider of the Secret Service: how it is started, locked and opened. What it keeps is below the user's home. */
export interface Wallet {
  /** As `comm` of its process has it. */
  readonly program: string;
  /** Makes what is there before its first start. */
  prepare(): Promise<void>;
  /** Starts it, with what it keeps open. It may not have the bus name yet. */
  start(): Promise<Deno.ChildProcess>;
  /** Closes what it keeps, as its user or a time-out would. */
  lock(): Promise<void>;
  /** Whether its default collection is there and open. */
  isOpen(): Promise<boolean>;
  /** Opens it again in the same process. @throws where only a new process can. */
  open(): Promise<void>;
}

/** Calls a method over the session bus. Answers what `gdbus` prints. */
export function call(
  user: WalletUser,
  destination: string,
  path: string,
  method: string,
  ...args: string[]
): Promise<string> {
  const where = ["--session", "--timeout=5", "--dest", destination, "--object-path", path];
  return user.tell("gdbus", ["call", ...where, "--method", method, ...args]);
}

export const SECRETS = "org.freedesktop.secrets";
export const SERVICE_PATH = "/org/freedesktop/secrets";

/** The path of the default collection; `undefined` when there is none. */
export async function defaultCollection(user: WalletUser): Promise<string | undefined> {
  const method = "org.freedesktop.Secret.Service.ReadAlias";
  const answer = await call(user, SECRETS, SERVICE_PATH, method, "default");
  const path = /'([^']*)'/.exec(answer)?.[1];
  return path === "/" ? undefined : path;
}

/** Whether there is a default collection that says that it is unlocked. */
export async function isUnlocked(user: WalletUser): Promise<boolean> {
  const collection = await defaultCollection(user);
  if (collection === undefined) return false;
  const property = ["org.freedesktop.Secret.Collection", "Locked"];
  const get = "org.freedesktop.DBus.Properties.Get";
  return (await call(user, SECRETS, collection, get, ...property)).includes("false");
}
