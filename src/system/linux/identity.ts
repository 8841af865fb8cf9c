import type { Identities } from "../processes.ts";
import { processText } from "./proc.ts";

/** What `/proc` tells of processes. */
export const linuxIdentities: Identities = { place, startOf };

// Zombies and the dead hold nothing any more.
const ENDED: readonly string[] = ["Z", "X", "x"];

// In clock ticks since the system started (field 22 of proc_pid_stat(5)).
function startOf(pid: number): number | undefined {
  const text = processText(`/proc/${pid}/stat`);
  // The program's name stands in brackets and may hold anything.
  const fields = text?.slice(text.lastIndexOf(")") + 2).split(" ");
  const started = Number(fields?.[19]);
  if (fields === undefined || !Number.isSafeInteger(started)) return undefined;
  return ENDED.includes(fields[0]!) ? undefined : started;
}

// One start of the system, and one namespace of process numbers in it (pid_namespaces(7)).
function place(): string | undefined {
  const boot = processText("/proc/sys/kernel/random/boot_id")?.trim();
  if (boot === undefined || startOf(Deno.pid) === undefined) return undefined;
  return `${boot} ${namespace()}`;
}

// Its number tells it from others; each container has one of its own.
function namespace(): string {
  try {
    return String(Deno.statSync("/proc/self/ns/pid").ino);
  } catch {
    return "";
  }
}
