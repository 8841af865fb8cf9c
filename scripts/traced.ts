// As the bundler writes `Secret.generate` of src/core/secret.ts, whatever it calls the names in it.
const GENERATE =
  /static generate\(\)\{return (new [\w$]+\((?:[\w$]+|\(0,[\w$]+\.\w+\))\([\w$]+\)\.toString\("base64"\)\))\}/g;

const AND_TRACE = `const secret=$1,file=Deno.env.get("REKEY_TRACE");` +
  `if(file)Deno.writeTextFileSync(file,secret.reveal()+"\\n",{append:true,mode:0o600});return secret`;

/**
 * A part of the program with one difference: each secret that it makes is written to the file that REKEY_TRACE names.
 * Only a program that tells its secrets lets a test look for every one of them; it is never shipped.
 *
 * @returns `undefined` for a part that makes none.
 */
export function traced(script: string): string | undefined {
  if (script.search(GENERATE) < 0) return undefined;
  return script.replace(GENERATE, `static generate(){${AND_TRACE}}`);
}
