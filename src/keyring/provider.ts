import { readFileSync } from "node:fs";
import { type BusConnection, DBUS } from "./dbus_connection.ts";
import { BusError, type Writer } from "./dbus_wire.ts";

/** Programs that provide the Secret Service and differ in what rekey has to know of them. */
export type ProviderKind =
  | "gnome-keyring"
  | "kwalletd5"
  | "kwalletd6"
  | "ksecretd"
  | "keepassxc"
  | "other";

/** Who provides the Secret Service on a session bus. */
export interface Provider {
  readonly kind: ProviderKind;
  /** The name of its process, as the kernel has it: 15 bytes at most; empty when it is not to be seen. */
  readonly process: string;
  readonly pid: number;
  /** Its own name on the bus, such as `:1.7`: no other connection to this bus ever has it. */
  readonly name: string;
  /** Tells this run of it from every other one, on this machine and after its restart. */
  readonly incarnation: string;
}

const SECRETS = "org.freedesktop.secrets";

/**
 * Asks the bus who provides the Secret Service; the provider itself is not asked, and none is started.
 *
 * @returns `undefined` when there is none, or none that the bus will tell of.
 * @throws {BusError} when the bus does not answer.
 */
export async function findProvider(bus: BusConnection): Promise<Provider | undefined> {
  const owning = bus.enqueue(question("GetNameOwner"));
  const counting = bus.enqueue(question("GetConnectionUnixProcessID"));
  await bus.flush();
  try {
    const name = (await bus.answer(owning, "s")).string();
    const pid = (await bus.answer(counting, "u")).uint32();
    const { process, startedAt } = processOf(pid);
    const incarnation = [bootId(), pid, startedAt, name].join("/");
    return { kind: kindOf(process), process, pid, name, incarnation };
  } catch (error) {
    if (error instanceof BusError && error.isRefusal) return undefined;
    throw error;
  }
}

function question(member: string) {
  return { ...DBUS, member, signature: "s", body: (to: Writer) => void to.string(SECRETS) };
}

function kindOf(process: string): ProviderKind {
  if (process.startsWith("gnome-keyring")) return "gnome-keyring";
  if (process === "kwalletd5" || process === "kwalletd6") return process;
  if (process === "ksecretd" || process === "keepassxc") return process;
  return "other";
}

// proc(5): the name is in parentheses and may itself hold some; the 20th field behind it is when the process
// started, in clock ticks since the machine did.
function processOf(pid: number): { process: string; startedAt: string } {
  const stat = textOf(`/proc/${pid}/stat`);
  const end = stat.lastIndexOf(")");
  const process = stat.slice(stat.indexOf("(") + 1, Math.max(end, 0));
  return { process, startedAt: stat.slice(end + 2).split(" ")[19] ?? "" };
}

function bootId(): string {
  return textOf("/proc/sys/kernel/random/boot_id").trim();
}

// A process of another namespace is not to be seen; then its name on the bus has to do.
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
