// Which program is the server: the setting's, the one in the package, or the one that is installed.

import { access, constants, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';

/** Versions of the server below this one say less than this extension needs. */
const OLDEST = [0, 1] as const;

/** Nothing that could be started, and why in one line. */
export class NoServer extends Error {}

/** Where the server's program is. `setting` is the user's own word; `bundled` is where a package has it. */
export async function findServer(setting: string | undefined, bundled: string): Promise<string> {
  if (setting) {
    const named = setting.startsWith('~') ? path.join(homedir(), setting.slice(1)) : setting;
    if (await isProgram(named)) return named;
    throw new NoServer(`tabahead.server.path is "${setting}", but there is no program.`);
  }
  // A window that was not opened from a shell often has no ~/.cargo/bin on its path.
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

/** Why a server of this version cannot be used; undefined where it can. */
export function tooOld(version: string | undefined): string | undefined {
  const [major = 0, minor = 0] = (version ?? '').split('.').map((part) => Number.parseInt(part, 10) || 0);
  const isOld = major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
  if (!isOld) return undefined;
  return `The program tabahead is of version ${version ?? 'unknown'}; this extension needs ${OLDEST.join('.')} or newer.`;
}

/** Whether a place is a file that may be run. A folder may be run, too, as far as `access` knows: that is to be entered. */
async function isProgram(place: string): Promise<boolean> {
  return Promise.all([stat(place), access(place, constants.X_OK)]).then(
    ([found]) => found.isFile(),
    () => false,
  );
}
