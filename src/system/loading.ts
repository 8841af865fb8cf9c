import { HERE } from "./here.ts";
import { wide } from "./windows/wide.ts";

const PREPARING = { linux: () => {}, darwin: () => {}, windows: loadRuntime };

/**
 * To be called before the keyring's addon is loaded: what that one needs in turn is taken from the system's folders. On
 * Windows it would be looked for in the working folder too, where anyone may have put it.
 */
export function prepareLoading(): void {
  PREPARING[HERE.os]();
}

// Microsoft's Visual C++ runtime, which Windows itself does not have.
const RUNTIME = "vcruntime140.dll";
const LONGEST = 260;

// A library that is loaded is not looked for again.
let runtime: unknown;

function loadRuntime(): void {
  if (runtime !== undefined) return;
  const kernel32 = Deno.dlopen("kernel32.dll", {
    GetSystemDirectoryW: { parameters: ["buffer", "u32"], result: "u32" },
    SetDllDirectoryW: { parameters: ["buffer"], result: "i32" },
  });
  const path = new Uint16Array(LONGEST);
  const length = kernel32.symbols.GetSystemDirectoryW(path, LONGEST);
  try {
    runtime = Deno.dlopen(`${String.fromCharCode(...path.subarray(0, length))}\\${RUNTIME}`, {});
  } catch {
    // It may be beside rekey. Not in the first place, since programs that are started would search no more there either.
    kernel32.symbols.SetDllDirectoryW(wide(""));
  } finally {
    kernel32.close();
  }
}
