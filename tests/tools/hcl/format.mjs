// Holds files against hclwrite's Format, which is what `terraform fmt` calls.
//
//     node format.mjs FOLDER FILE...     FOLDER has node_modules; fails with the name of each file that it would change
//
// `terraform fmt` does a little more (it takes the quotes off `type = "string"` and the `"${…}"` off a lone expression): where there is
// a terraform, check_deploy.sh asks that one too.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const [folder, ...files] = process.argv.slice(2);
const { format } = createRequire(resolve(folder, "package.json"))("@cdktf/hcl-tools");

let wrong = files.length === 0;
for (const file of files) {
  const text = readFileSync(file, "utf8");
  const formatted = await format(text);
  if (formatted === text) continue;
  wrong = true;
  const lines = formatted.split("\n");
  const at = text.split("\n").findIndex((line, number) => line !== lines[number]);
  console.error(`${file}:${at + 1}: formatted, this line is: ${lines[at]}`);
}
process.exit(wrong ? 1 : 0);
