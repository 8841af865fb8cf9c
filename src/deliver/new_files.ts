import { isHmac } from "../core/algorithms.ts";
import { RekeyError } from "../core/errors.ts";
import type { Delivery } from "./delivery.ts";
import { type DeliveredKey, type DeliveredKeys, verifyingKeys } from "./key_set.ts";
import { deliveredPath } from "./places.ts";
import { type Content, render } from "./render.ts";
import { fill } from "./templates.ts";
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
 * @throws {RekeyError} `failed` when the format cannot hold a key of this kind or form, or a name leads out of the folder.
 */
export async function newFiles(
  delivery: Delivery,
  keys: DeliveredKeys,
  data: Record<string, string>,
): Promise<NewFile[]> {
  const { preset, settings: { role } } = delivery;
  const own = preset.template === undefined
    ? { format: preset.format! }
    : { template: preset.template };
  const file = async (name: string, content: Content, set: DeliveredKeys, isForOne = false) => {
    const bytes = await render(content, set, { parameters: data, role, isForOne });
    if (bytes.length > LONGEST_FILE) {
      throw new RekeyError("failed", `Cannot deliver more than ${LONGEST_FILE} bytes in a file`);
    }
    return { name, path: deliveredPath(delivery, name), bytes, digest: digestOfBytes(bytes) };
  };
  if (preset.file_name === undefined) return [await file("", own, keys)];
  const fileOf = async (key: DeliveredKey) => {
    const name = await fill(preset.file_name!, { ...data, kid: key.tokenKid, alg: key.alg });
    refuseName(name);
    return await file(name, own, { current: key, previous: [] }, true);
  };
  const { files_for, index = {} } = preset;
  const withFile = verifyingKeys(keys).filter(({ alg }) =>
    files_for === undefined || isHmac(alg) === (files_for === "hmac")
  );
  return await Promise.all([
    ...withFile.map(fileOf),
    ...Object.entries(index).map(([name, template]) => file(name, { template }, keys)),
  ]);
}

function refuseName(name: string): void {
  if (name.split("/").every((part) => /^[\w@+=.-]+$/.test(part) && !/^\.{1,2}$/.test(part))) return;
  throw new RekeyError(
    "failed",
    "Cannot write a file of the preset: its name may have letters, digits and _@+=.- only",
  );
}
