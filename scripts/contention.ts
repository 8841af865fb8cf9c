/**
 * `deno task contention [WRITERS [ROTATIONS [READERS]]]`: rotates and reads with concurrent processes of the compiled
 * binary, in both locations, until the first error.
 */
import { Box } from "../tests/support/process/box.ts";
import { contend } from "../tests/support/faults/contention.ts";
import { KeyringBox } from "../tests/support/keyring/keyring_box.ts";

const [writers = 16, rotations = 25, readers = 16] = Deno.args.map(Number);
const load = { writers, rotations, readers };

{
  using box = new Box();
  await contendAndPrint("database", box);
}
{
  await using box = await KeyringBox.start();
  await contendAndPrint("keyring", box);
}

async function contendAndPrint(location: string, box: Box): Promise<void> {
  const { seconds, reads, refused, auditRows } = await contend(box, load);
  const line =
    `${location}: ${writers} processes × ${rotations} rotations and ${readers} readers ` +
    `in ${seconds.toFixed(0)} s; ${reads} reads, ${refused} of a token just rotated away; ` +
    `one current version, none missing, ${auditRows} audit rows verified\n`;
  Deno.stdout.writeSync(new TextEncoder().encode(line));
}
