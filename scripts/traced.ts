// `Secret.generate` and `Secret.generatePair` of src/core/secret.ts as the bundler writes them, with any names.
const GENERATE =
  /static generate\((\{[^{}]*\}=[\w$]+)\)\{return (new [\w$]+\((?:[\w$]+|\(0,[\w$]+\.\w+\))\([\w$]+\)\.toString\([\w$]+\)\))\}/g;

const GENERATE_PAIR =
  /static async generatePair\(([\w$]+,[\w$]+)\)\{return (new [\w$]+\(\(await [\w$]+\.generate\([\w$]+,[\w$]+\)\)\.text\))\}/g;

const AND_TRACE = `const secret=$2,file=Deno.env.get("REKEY_TRACE");` +
  `if(file)Deno.writeTextFileSync(file,secret.reveal()+"\\n",{append:true,mode:0o600});return secret`;

/**
 * Changes a script so that it writes each generated secret to the file that REKEY_TRACE names. Tests search for these
 * secrets. Such a program is never shipped.
 *
 * @returns `undefined` for a script that generates none.
 */
export function traced(script: string): string | undefined {
  if (script.search(GENERATE) < 0 || script.search(GENERATE_PAIR) < 0) return undefined;
  return script.replace(GENERATE, `static generate($1){${AND_TRACE}}`)
    .replace(GENERATE_PAIR, `static async generatePair($1){${AND_TRACE}}`);
}
