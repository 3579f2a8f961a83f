// Works out JSONata expressions with the reference implementation: [{expression, states}] on standard input, the results on standard output.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const jsonata = createRequire(process.argv[2] + "/")("jsonata");
const results = [];
for (const { expression, states } of JSON.parse(readFileSync(0, "utf-8"))) {
  results.push((await jsonata(expression).evaluate(undefined, { states })) ?? null);
}
process.stdout.write(JSON.stringify(results));
