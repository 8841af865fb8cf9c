// How settings files and programs write a name and its value, other than as a line NAME=VALUE.
const LINES: readonly RegExp[] = [
  // const secret = "…"; String secret = "…"; var secret string = "…"
  /^(export\s+)?(const|let|var|val|final|static|public|private|protected|readonly)\s+[\w\s:<>?[\]]*[\w>\]]\s*:?=\s*\S/,
  /^[A-Za-z_][\w.<>[\]]*(\s+[A-Za-z_]\w*)?\s*(:?=|=>)\s*["'`]/,
  // secret = …; secret := …; $secret = …; $env:SECRET = …; @secret = …
  /^[$@:]?(env:)?[A-Za-z_][\w.]*\s+:?=>?\s+\S|^\$(env:)?[A-Za-z_]\w*\s*=\s*["']/,
  // "secret": "…", 'secret' => '…'
  /^(["'])[\w.:-]+\1\s*(:|=>)\s*\S/,
  // define('SECRET', '…'), setx SECRET …, set SECRET=…, ENV SECRET=…, ENV SECRET …
  /^define\(\s*["']/,
  /^(setx\s+"?[A-Za-z_]\w*"?\s|set\s+"?[A-Za-z_]\w*=|(ENV|ARG)\s+[A-Za-z_]\w*[=\s])\s*\S/,
  // Environment=SECRET=…, - SECRET=…, -e SECRET=…, docker run -e SECRET=…
  /^(Environment=\s*["']?|-\s+["']?|(docker|podman)\s.*\s)[A-Za-z_]\w*[=:]\s*\S/,
  /(^|\s)(-e|--env|--build-arg)[\s=]["']?[A-Za-z_]\w*=\S/,
];

// The heading of a part of an INI or TOML file.
const HEADING = /^\[[\w .:"-]+\]$/;

// Only among several lines: one line alone may be a passphrase.
const MEMBER = /^(export\s+)?[A-Za-z_][\w.-]*\s*(:\s|=(?!=|$)\s*)\S/;

/** Whether a text is lines of a program, a settings file or a command line that give a name its value. */
export function isAssignment(text: string): boolean {
  const lines = text.split(/\r\n?|\n/).map((line) => line.trim()).filter((line) => line !== "");
  if (lines.some((line) => LINES.some((pattern) => pattern.test(line)))) return true;
  return lines.length > 1 && lines.some((line) => HEADING.test(line) || MEMBER.test(line));
}
