// `node scripts/schema-suite.mjs FOLDER [--list]`: how the grammar treats the public JSON-Schema-Test-Suite.
// FOLDER is a checkout of github.com/json-schema-org/JSON-Schema-Test-Suite. Drafts 7 and 2020-12 are read.
// A fault is an accepted schema whose grammar takes a text that the suite calls invalid. The exit code is 1
// if there are faults. `--list` also lists the refused schemas.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { compileSchema, misfit } from "./schema-grammar.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { list: { type: "boolean", default: false } },
});
const [folder] = positionals;
if (folder === undefined || !existsSync(join(folder, "tests"))) {
  console.error(
    "usage: node scripts/schema-suite.mjs FOLDER [--list]: FOLDER has the suite's folder `tests`",
  );
  process.exit(2);
}
let faults = 0;
for (const draft of ["draft7", "draft2020-12"]) {
  const count = { schemas: 0, accepted: 0, faulty: 0, narrower: 0, taken: 0, excluded: 0, faults: 0 };
  const folderOfDraft = join(folder, "tests", draft);
  for (const name of readdirSync(folderOfDraft).filter((file) => file.endsWith(".json"))) {
    for (const { description, schema, tests } of JSON.parse(
      readFileSync(join(folderOfDraft, name), "utf8"),
    )) {
      const place = `${draft}/${name}: ${description}`;
      const { automaton, refused } = compileSchema(schema);
      count.schemas += 1;
      if (refused !== undefined) {
        if (values.list) console.log(`refused  ${place}: at ${refused.place}, ${refused.reason}`);
        continue;
      }
      count.accepted += 1;
      const before = count.faults;
      for (const { description: what, data, valid } of tests) {
        const taken = misfit(automaton, JSON.stringify(data)) === undefined;
        if (valid) count[taken ? "taken" : "narrower"] += 1;
        else if (!taken) count.excluded += 1;
        else {
          count.faults += 1;
          console.log(`FAULT    ${place}: ${what}: ${JSON.stringify(data)}`);
        }
      }
      if (count.faults > before) count.faulty += 1;
    }
  }
  faults += count.faults;
  const share = (part, all) => `${part} of ${all} (${((100 * part) / all).toFixed(1)} %)`;
  console.log(`${draft}: ${share(count.accepted, count.schemas)} schemas accepted`);
  console.log(`  ${share(count.accepted - count.faulty, count.accepted)} of these without a fault`);
  console.log(`  valid instances: ${count.taken} taken, ${count.narrower} narrower`);
  console.log(`  invalid instances: ${count.excluded} excluded, ${count.faults} faults`);
}
process.exit(faults === 0 ? 0 : 1);
