// Verifies the catalogue of corpus.py; prints for each case its eight findings.

import { readFileSync } from "node:fs";

import { verify } from "../../assets/sdk/js/orlop-verify.mjs";

const { blobs, cases } = JSON.parse(readFileSync(process.argv[2]));
const blob = (number) => (number === null ? null : Buffer.from(blobs[number], "base64"));
const verdicts = [];
for (const { key, module, ...rest } of cases) {
  const [receipt, manifest, stdout, stderr, previous] = ["receipt", "manifest", "stdout", "stderr", "previous"].map((name) => blob(rest[name]));
  const { steps } = await verify(receipt, { key, manifest, module, stdout, stderr, previous });
  verdicts.push(steps.map(({ ok, detail }) => [ok, detail]));
}
process.stdout.write(JSON.stringify(verdicts));
