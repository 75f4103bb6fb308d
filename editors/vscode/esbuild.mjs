// Bundles the extension into dist/main.js: one file, because an extension is read at every start of the editor. Beside it
// stand the licences: of the extension, and of every package that is in the bundle.

import { copyFile, readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { build } from 'esbuild';

const { metafile } = await build({
  entryPoints: ['src/main.ts'],
  outfile: 'dist/main.js',
  bundle: true,
  minify: true,
  format: 'cjs',
  platform: 'node',
  // What the oldest VS Code that is supported runs on.
  target: 'node20',
  external: ['vscode'],
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
});

const packages = new Set();
for (const input of Object.keys(metafile.inputs)) {
  const found = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input);
  if (found) packages.add(found[0]);
}
const notices = [];
for (const folder of [...packages].sort()) {
  const { name, version, license } = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8'));
  const file = (await readdir(folder)).find((name) => /^licen[cs]e/i.test(name));
  if (!file) throw new Error(`${name} is in the bundle and has no licence file`);
  notices.push(`${name} ${version} (${license})\n\n${await readFile(path.join(folder, file), 'utf8')}`);
}
await writeFile('dist/THIRD-PARTY-LICENSES.txt', notices.join(`\n${'-'.repeat(80)}\n\n`));
for (const licence of ['LICENSE-MIT', 'LICENSE-APACHE'])
  await copyFile(`../../${licence}`, `dist/${licence}`);
