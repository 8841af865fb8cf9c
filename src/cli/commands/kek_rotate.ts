import { resolve } from "node:path";
import { kekSupplied } from "../../store/sealed/kek_sources.ts";
import type { Context } from "../context.ts";

/** Flags of `rekey kek rotate`. */
export interface KekRotateFlags {
  readonly toKekFile?: string;
}

/** Seals everything under another KEK. */
export async function kekRotate(options: KekRotateFlags, { secrets, output }: Context) {
  const { toKekFile } = options;
  const { id, source, generated } = await secrets.rotateKek(toKekFile && resolve(toKekFile));
  output.result({ app: secrets.environment.app.name, kek: { id, source, generated } }, [
    `Everything is sealed under KEK ${id} from ${source}`,
  ]);
  output.remark("It is remembered: later commands find it by themselves");
  if (!kekSupplied(secrets.environment.kek)) return;
  output.warning("--kek-file or a variable names the old KEK: leave it out from now on");
}
