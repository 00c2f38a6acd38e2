// Writes web_dist/BUILD.json: what the build was made from, so that a checkout can tell a stale one.
// What only the checks read is part of it too: they pass for one state of it all.
// `--print` only prints the hash of the present sources.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const web = join(dirname(fileURLToPath(import.meta.url)), '..');

/** The files under a folder, in a stable order. */
function filesUnder(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

const hash = createHash('sha256');
const single = [
  '.prettierrc.json',
  'eslint.config.mjs',
  'index.html',
  'openapi.json',
  'package-lock.json',
  'package.json',
  'tsconfig.json',
  'vite.config.ts',
].map((name) => join(web, name));
for (const file of [
  ...single,
  ...filesUnder(join(web, 'public')),
  ...filesUnder(join(web, 'src')),
]) {
  hash.update(`${relative(web, file)}\0`);
  hash.update(readFileSync(file));
}
const source = hash.digest('hex');

if (process.argv.includes('--print')) {
  console.log(source);
} else {
  const record = join(web, '..', 'src', 'universal_agent', 'web_dist', 'BUILD.json');
  writeFileSync(record, `${JSON.stringify({ source })}\n`);
}
