import { RekeyError } from "../core/errors.ts";
import type { Delivery } from "./delivery.ts";
import { type DeliveredKeys, verifyingKeys } from "./key_set.ts";
import { deliveredPath } from "./places.ts";
import { fill, render } from "./render.ts";
import { digestOfBytes, LONGEST_FILE } from "./write_target.ts";

/** A delivery's file with its new contents; a single file has the name "". */
export interface NewFile {
  readonly name: string;
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly digest: string;
}

/**
 * The files that a delivery should have.
 *
 * @param data texts for templates.
 * @throws {RekeyError} `failed` when the format cannot hold a key of this form, or a name leads out of the folder.
 */
export async function newFiles(
  delivery: Delivery,
  keys: DeliveredKeys,
  data: Record<string, string>,
): Promise<NewFile[]> {
  const { preset } = delivery;
  const content = preset.template === undefined
    ? { format: preset.format! }
    : { template: preset.template };
  const file = async (name: string, set: DeliveredKeys, isForOne = false) => {
    const bytes = await render(content, set, data, isForOne);
    if (bytes.length > LONGEST_FILE) {
      throw new RekeyError("failed", `Cannot deliver more than ${LONGEST_FILE} bytes in a file`);
    }
    return { name, path: deliveredPath(delivery, name), bytes, digest: digestOfBytes(bytes) };
  };
  if (preset.file_name === undefined) return [await file("", keys)];
  return await Promise.all(
    verifyingKeys(keys).map(async (key) => {
      const name = await fill(preset.file_name!, { ...data, kid: key.kid, alg: key.alg });
      refuseName(name);
      return await file(name, { current: key, previous: [] }, true);
    }),
  );
}

function refuseName(name: string): void {
  if (name.split("/").every((part) => /^[\w@+=.-]+$/.test(part) && !/^\.{1,2}$/.test(part))) return;
  throw new RekeyError("failed", "A file name of the preset leads out of its folder");
}
