import type { Context } from "../context.ts";

/** Flags of `rekey kek rotate`. */
export interface KekRotateFlags {
  readonly toKekFile?: string;
}

/** Seals everything under another KEK. */
export async function kekRotate(options: KekRotateFlags, { secrets, output }: Context) {
  const { id, source, generated } = await secrets.rotateKek(options.toKekFile);
  output.result({ app: secrets.environment.app.name, kek: { id, source, generated } }, [
    `Everything is sealed under KEK ${id} from ${source}`,
  ]);
  if (!generated) output.remark("Name it from now on, with --kek-file or another KEK source");
}
