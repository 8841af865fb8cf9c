import { run } from "../program.ts";
/** Which commit the files are of. */
export interface Origin {
  /** `null` outside a repository, or without git. */
  readonly commit: string | null;
  /** Whether they differ from it. */
  readonly modified: boolean;
}

/** Of the current folder. */
export async function origin(): Promise<Origin> {
  // A copy of the sources may lie somewhere in another repository.
  if (await git("rev-parse", "--show-prefix") !== "") return { commit: null, modified: false };
  const commit = await git("rev-parse", "HEAD") ?? null;
  const changes = await git("status", "--porcelain");
  return { commit, modified: commit !== null && changes !== "" };
}

/** Seconds since the epoch at which the commit was made. */
export async function commitTime(): Promise<number> {
  return Number(await git("log", "-1", "--format=%ct"));
}

async function git(...args: string[]): Promise<string | undefined> {
  const missing = { code: 127, stdout: "" };
  const { code, stdout } = await run("git", ["--no-optional-locks", ...args]).catch(() => missing);
  return code === 0 ? stdout.trim() : undefined;
}
