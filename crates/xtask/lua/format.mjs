// Formats Lua files with stylua: `node format.mjs --check|--write FOLDER...`. With --check it
// changes nothing, names the files that are not formatted, and fails if there are any. The npm
// package is stylua's library without its program, so this script reads the configuration and walks
// the folders.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as stylua from '@johnnymorganz/stylua';

/** Enumerations that the library expects as numbers, by the keys of stylua.toml. */
const enumerations = {
  indent_type: stylua.IndentType,
  quote_style: stylua.QuoteStyle,
  call_parentheses: stylua.CallParenType,
  syntax: stylua.LuaVersion,
};

/** Reads stylua.toml into the library's format. The file holds plain numbers and names only. */
function configuration() {
  const file = new URL('../../../editors/nvim/stylua.toml', import.meta.url);
  const config = stylua.Config.new();
  for (const line of readFileSync(file, 'utf8').split('\n').filter(Boolean)) {
    const [, key, name, number] = /^(\w+) = (?:"(\w+)"|(\d+))$/.exec(line) ?? [];
    const value = name === undefined ? Number(number) : enumerations[key]?.[name];
    if (!(key in config) || value === undefined || Number.isNaN(value)) {
      throw new Error(`stylua.toml: "${line}" is not understood`);
    }
    config[key] = value;
  }
  return config;
}

/** Returns `text` formatted. If it cannot be parsed, returns it unchanged and fails the run. */
function format(file, text) {
  // The library consumes a configuration, so each file gets its own.
  const config = configuration();
  try {
    return stylua.formatCode(text, config, undefined, stylua.OutputVerification.Full);
  } catch (error) {
    console.error(`${file}: ${error}`);
    process.exitCode = 1;
    return text;
  }
}

const [mode, ...folders] = process.argv.slice(2);
if (!['--check', '--write'].includes(mode)) throw new Error('give --check or --write');
for (const folder of folders) {
  for (const name of readdirSync(folder, { recursive: true })) {
    if (!name.endsWith('.lua') || name.includes('node_modules')) continue;
    const file = join(folder, name);
    const text = readFileSync(file, 'utf8');
    const formatted = format(file, text);
    if (formatted === text) continue;
    if (mode === '--write') {
      writeFileSync(file, formatted);
    } else {
      const lines = text.split('\n');
      const line = formatted.split('\n').findIndex((wanted, index) => wanted !== lines[index]);
      console.error(`${file}:${line + 1}: is not formatted`);
      process.exitCode = 1;
    }
  }
}
