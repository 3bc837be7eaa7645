// Ends a build: writes the licences of what is bundled, and a .gz twin of every file. The
// twins are made in JavaScript, so that they are the same bytes on every machine: zlib's
// depend on its version and the CPU.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'fflate';

const root = import.meta.dirname,
  dist = join(root, 'dist');
const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json')));

let texts = 'The page of mpt serve is built of these libraries besides its own code.\n';
for (const name of [...Object.keys(dependencies), '@preact/signals-core'].sort()) {
  const folder = join(root, 'node_modules', name);
  const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json')));
  const file = readdirSync(folder).find((f) => /^licen[sc]e/i.test(f));
  if (!file) throw new Error(`${name} has no licence`);
  texts += `\n==== ${name} ${version}: ${license}\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`;
}
writeFileSync(join(dist, 'LICENSES.txt'), texts);

let total = 0;
for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const file = join(entry.parentPath, entry.name);
  const small = gzipSync(readFileSync(file), { level: 9, mtime: 0 });
  writeFileSync(file + '.gz', small);
  total += small.length;
}
console.log(`${total} bytes, gzipped`);
