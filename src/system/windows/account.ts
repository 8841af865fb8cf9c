import { systemFolder } from "./kernel.ts";

const NAME_SAM_COMPATIBLE = 2;
const LONGEST = 512;

/** Who runs this process, as `DOMAIN\user`; `undefined` when Windows does not tell. */
export function account(): string | undefined {
  // By its whole path: Windows looks beside the program first.
  const secur32 = Deno.dlopen(`${systemFolder()}\\secur32.dll`, {
    GetUserNameExW: { parameters: ["i32", "buffer", "buffer"], result: "u8" },
  });
  try {
    const name = new Uint16Array(LONGEST);
    const length = new Uint32Array([LONGEST]);
    if (secur32.symbols.GetUserNameExW(NAME_SAM_COMPATIBLE, name, length) === 0) return undefined;
    return String.fromCharCode(...name.subarray(0, length[0]));
  } finally {
    secur32.close();
  }
}
