import type { Advice } from "../system.ts";

/** For PowerShell, whose `>` writes UTF-16. */
export const windowsAdvice: Advice = {
  makeKey: "$b = [byte[]]::new(32); " +
    "[Security.Cryptography.RandomNumberGenerator]::Create().GetBytes($b); " +
    "[Convert]::ToBase64String($b) | Set-Content -Encoding ascii FILE",
  convert: "`Get-Content FILE | Set-Content -Encoding utf8 OTHER` converts it",
  show: (path) => `icacls "${path}"`,
  largest: (folder) => `# make room on the disk of ${folder}`,
};
