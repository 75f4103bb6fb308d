// The settings that are sent to the server: only those that the user has set, so that the server's
// own file still counts.

import { type ExtensionContext, workspace } from 'vscode';

const SECTION = 'tabahead';
/** Settings of the extension, not of the server. */
const OWN = new Set(['server.path']);
const PAUSED_FILES = 'pausedFiles';

/** Values by dotted key, as the server reads them. */
export type Settings = Record<string, unknown>;

/** Returns the keys that package.json declares; they are generated from the server's own struct. */
function keys(context: ExtensionContext): string[] {
  const { contributes } = context.extension.packageJSON as {
    contributes: { configuration: { properties: Record<string, unknown> } };
  };
  return Object.keys(contributes.configuration.properties)
    .map((key) => key.slice(SECTION.length + 1))
    .filter((key) => !OWN.has(key));
}

/** Returns what the user, the workspace and the menu have set. */
export function settings(context: ExtensionContext): Settings {
  const configuration = workspace.getConfiguration(SECTION);
  const set: Settings = {};
  for (const key of keys(context)) {
    const found = configuration.inspect(key);
    const isSet = found?.globalValue !== undefined || found?.workspaceValue !== undefined;
    if (isSet) set[key] = configuration.get(key);
  }
  const paused = pausedFiles(context);
  if (paused.length > 0) {
    const rules = (set['paths'] ?? []) as unknown[];
    set['paths'] = [...rules, ...paused.map((path) => ({ glob: path, enabled: false }))];
  }
  return set;
}

/** Returns the program that the user set, if any. */
export function serverPath(): string | undefined {
  return workspace.getConfiguration(SECTION).get<string | null>('server.path') ?? undefined;
}

/** Returns the model that the user has set, if any. A workspace cannot set it. */
export function userModel(): string | undefined {
  return workspace.getConfiguration(SECTION).inspect<string>('model')?.globalValue;
}

/** Sets the model in the user's settings. */
export async function setModel(model: string): Promise<void> {
  await workspace.getConfiguration(SECTION).update('model', model, true);
}

/** Returns the files of this workspace that the menu has paused. Kept out of settings.json: they
 * concern no other user. */
export function pausedFiles(context: ExtensionContext): string[] {
  return context.workspaceState.get<string[]>(PAUSED_FILES, []);
}

/** Pauses or resumes a file. */
export async function pauseFile(context: ExtensionContext, path: string, paused: boolean): Promise<void> {
  const others = pausedFiles(context).filter((other) => other !== path);
  await context.workspaceState.update(PAUSED_FILES, paused ? [...others, path] : others);
}

/** Reports whether a language gets suggestions. */
export function isLanguageOn(language: string): boolean {
  const languages = workspace.getConfiguration(SECTION).get<Record<string, boolean>>('languages', {});
  return languages[language] ?? languages['*'] ?? true;
}

/** Turns a language off or on in the user's settings. */
export async function pauseLanguage(language: string, paused: boolean): Promise<void> {
  const configuration = workspace.getConfiguration(SECTION);
  const own = configuration.inspect<Record<string, boolean>>('languages')?.globalValue ?? {};
  await configuration.update('languages', { ...own, [language]: !paused }, true);
}
