// SIGHUP, SIGINT and SIGTERM.
const TAKEN = [1, 2, 15];

/**
 * Begins to listen for signals. What whoever started rekey wants ignored, as nohup does, stays ignored: Deno
 * takes some signals for itself as soon as anything is listened for.
 */
export async function keepIgnored(listen: () => void): Promise<void> {
  const { ignore, isIgnored } = await import("./exec/libc.ts");
  const ignored = TAKEN.filter(isIgnored);
  listen();
  ignored.forEach(ignore);
}
