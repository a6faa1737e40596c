// Canonical JSON (RFC 8785) by the engine whose number format the RFC took over: one JSON text a line in, one canonical text a
// line out, by nothing but JSON.stringify and a sort of the keys. Knows no profile.

import { readFileSync } from "node:fs";

function canonical(value) {
  if (Array.isArray(value)) {
    return `[${value.map(canonical).join(",")}]`;
  }
  if (value !== null && typeof value === "object") {
    // `sort` without an order of its own compares UTF-16 code units.
    const members = Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`);
    return `{${members.join(",")}}`;
  }
  return JSON.stringify(value);
}

const lines = readFileSync(0, "utf8").split("\n").filter((line) => line !== "");
process.stdout.write(lines.map((line) => canonical(JSON.parse(line)) + "\n").join(""));
