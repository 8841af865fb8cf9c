/** The samples of Prometheus' text format, by name and labels. */
export function parse(text: string): Map<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => {
    const end = line.lastIndexOf(" ");
    return [line.slice(0, end), Number(line.slice(end + 1).replace("Inf", "Infinity"))];
  }));
}
