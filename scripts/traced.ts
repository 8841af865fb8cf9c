// As the bundler writes `Secret.generate` of src/core/secret.ts, whatever it calls the names in it.
const GENERATE =
  /static generate\(\)\{return (new [\w$]+\([\w$]+\([\w$]+\)\.toString\("base64"\)\))\}/g;

const AND_TRACE = `const secret=$1,file=Deno.env.get("REKEY_TRACE");` +
  `if(file)Deno.writeTextFileSync(file,secret.reveal()+"\\n",{append:true,mode:0o600});return secret`;

/**
 * The program with one difference: each secret that it makes is written to the file that REKEY_TRACE names.
 * Only a program that tells its secrets lets a test look for every one of them; it is never shipped.
 */
export function traced(script: string): string {
  const found = [...script.matchAll(GENERATE)].length;
  if (found !== 1) {
    throw new Error(`Secret.generate is ${found} times in the bundle: mend scripts/traced.ts`);
  }
  return script.replace(GENERATE, `static generate(){${AND_TRACE}}`);
}
