import { HERE } from "./here.ts";
import { wide } from "./windows/wide.ts";

const PREPARING = { linux: () => {}, darwin: () => {}, windows: forgetWorkingFolder };

/**
 * To be called before a native library is loaded: what that one needs in turn is looked for in the system's folders. On
 * Windows it would be in the working folder too, where anyone may have put it.
 */
export function prepareLoading(): void {
  PREPARING[HERE.os]();
}

function forgetWorkingFolder(): void {
  const kernel32 = Deno.dlopen("kernel32.dll", {
    SetDllDirectoryW: { parameters: ["buffer"], result: "i32" },
  });
  try {
    if (kernel32.symbols.SetDllDirectoryW(wide("")) === 0) {
      throw new Error("Windows keeps the working folder among those with libraries");
    }
  } finally {
    kernel32.close();
  }
}
