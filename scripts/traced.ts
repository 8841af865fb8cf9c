// `Secret.generate` of src/core/secret.ts as the bundler writes it, with any names.
const GENERATE =
  /static generate\(\)\{return (new [\w$]+\((?:[\w$]+|\(0,[\w$]+\.\w+\))\([\w$]+\)\.toString\("base64"\)\))\}/g;

const AND_TRACE = `const secret=$1,file=Deno.env.get("REKEY_TRACE");` +
  `if(file)Deno.writeTextFileSync(file,secret.reveal()+"\\n",{append:true,mode:0o600});return secret`;

/**
 * Changes a script so that it writes each generated secret to the file that REKEY_TRACE names. Tests search for these
 * secrets. Such a program is never shipped.
 *
 * @returns `undefined` for a script that generates none.
 */
export function traced(script: string): string | undefined {
  if (script.search(GENERATE) < 0) return undefined;
  return script.replace(GENERATE, `static generate(){${AND_TRACE}}`);
}
