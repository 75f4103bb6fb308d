// Finds the server's program: the one in the setting, in the package, or installed.

import { access, constants, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';

/** Oldest version of the server that reports all that this extension needs. */
const OLDEST = [0, 1] as const;

/** Failure to find a usable server; the message is the reason in one line. */
export class NoServer extends Error {}

/** Returns the server's program. `setting` is the path that the user set; `bundled` is its path
 * in a package. */
export async function findServer(setting: string | undefined, bundled: string): Promise<string> {
  if (setting) {
    const named = setting.startsWith('~') ? path.join(homedir(), setting.slice(1)) : setting;
    if (await isProgram(named)) return named;
    throw new NoServer(`tabahead.server.path is "${setting}", but there is no program.`);
  }
  // The PATH of a window that was not opened from a shell often lacks ~/.cargo/bin.
  const folders = (process.env['PATH'] ?? '').split(path.delimiter).filter(Boolean);
  const installed = [...folders, path.join(homedir(), '.cargo', 'bin')];
  for (const place of [bundled, ...installed.map((folder) => path.join(folder, 'tabahead'))]) {
    const program = process.platform === 'win32' ? `${place}.exe` : place;
    if (await isProgram(program)) return program;
  }
  throw new NoServer(
    'The program tabahead is neither in this package nor on the PATH. Install it, or set its path.',
  );
}

/** Returns why a server of this version cannot be used; undefined if it can. */
export function tooOld(version: string | undefined): string | undefined {
  const [major = 0, minor = 0] = (version ?? '').split('.').map((part) => Number.parseInt(part, 10) || 0);
  const isOld = major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
  if (!isOld) return undefined;
  return `The program tabahead is of version ${version ?? 'unknown'}; this extension needs ${OLDEST.join('.')} or newer.`;
}

/** Reports whether a path is an executable file. `access` accepts folders, too: for them the
 * permission means entering. */
async function isProgram(place: string): Promise<boolean> {
  return Promise.all([stat(place), access(place, constants.X_OK)]).then(
    ([found]) => found.isFile(),
    () => false,
  );
}
