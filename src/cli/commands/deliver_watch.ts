import { within } from "../../core/async.ts";
import { asRefusal } from "../../core/errors.ts";
import { SharedFreshness } from "../../cluster/freshness.ts";
import { AuditStream } from "../../serve/audit_stream.ts";
import { ServedDeliveries } from "../../serve/deliveries.ts";
import { SYSTEM } from "../../system/system.ts";
import { type Context, usesEtcd } from "../context.ts";
import { followFleet } from "../fleet_follower.ts";

const TICK_MS = 1_000;

// As the default of `serve --max-staleness`: other machines wait that long for one that they do not hear of.
const MAX_STALENESS_MS = 10_000;

/** Keeps deliveries up to date until it is stopped. What cannot be done now is told once, and tried again. */
export async function watchDeliveries({ secrets, output, version }: Context): Promise<void> {
  const pauses = new Pauses();
  for (const signal of SYSTEM.processes.stopSignals) {
    SYSTEM.processes.listen(signal, () => pauses.stop());
  }
  const tell = {
    warn: (text: string) => output.warning(text),
    remark: (text: string) => output.remark(text),
    onBug: (error: unknown) => pauses.fail(error),
  };
  const deliveries = new ServedDeliveries({ managers: { secrets }, ...tell });
  const freshness = new SharedFreshness(MAX_STALENESS_MS);
  const follower = await usesEtcd(secrets.environment)
    ? followFleet(secrets, { freshness, onBug: tell.onBug, version }, output)
    : undefined;
  const catchUp = lookOut({ secrets, output });
  follower?.onChange(() => pauses.end());
  const audit = new AuditStream({ environment: secrets.environment, ...tell });
  await follower?.start();
  try {
    while (pauses.begin()) {
      secrets.refresh();
      if (!secrets.environment.keyring.isStuck) secrets.environment.keyring.retry();
      if (follower === undefined) await catchUp();
      await deliveries.tick();
      await follower?.report();
      await pauses.over(TICK_MS);
    }
  } finally {
    await audit.stop();
    await follower?.stop();
  }
}

/** The pauses between rounds of work: what happens in a round ends the pause after it. */
class Pauses {
  #stopped = false;
  #pause = Promise.withResolvers<void>();

  /** Begins a round. @returns `false` when there is to be none. */
  begin(): boolean {
    this.#pause = Promise.withResolvers();
    // It may fail before it is awaited.
    this.#pause.promise.catch(() => {});
    return !this.#stopped;
  }

  /** Waits until something happens, or for so long. @throws what {@linkcode fail} was given. */
  async over(milliseconds: number): Promise<void> {
    await within(milliseconds, this.#pause.promise);
  }

  end(): void {
    this.#pause.resolve();
  }

  stop(): void {
    this.#stopped = true;
    this.end();
  }

  fail(error: unknown): void {
    this.#pause.reject(error);
  }
}

/** Follows other machines without a follower: the secret may have been moved to etcd meanwhile. */
function lookOut({ secrets, output }: Pick<Context, "secrets" | "output">): () => Promise<void> {
  let trouble: string | undefined;
  return async () => {
    const failed = await secrets.catchUp().then(() => undefined, asRefusal);
    if (failed !== undefined && failed.code !== trouble) output.warning(failed.message);
    trouble = failed?.code;
  };
}
