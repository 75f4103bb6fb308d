// The commands, and the menu of the status bar's item.

import { type QuickPickItem, Range, Uri, commands, window, workspace } from 'vscode';
import type { Ctx } from './ctx';
import { isLanguageOn, pauseFile, pauseLanguage, pausedFiles } from './config';

const STATS = 'tabahead-stats';

export function registerCommands(ctx: Ctx): void {
  const all: Record<string, () => unknown> = {
    menu: () => showMenu(ctx),
    suggest: () => commands.executeCommand('editor.action.inlineSuggest.trigger'),
    acceptWord: () => acceptPart(ctx, 'editor.action.inlineSuggest.acceptNextWord'),
    acceptLine: () => acceptPart(ctx, 'editor.action.inlineSuggest.acceptNextLine'),
    pauseFile: () => toggleFile(ctx),
    pauseLanguage: () => toggleLanguage(),
    chooseModel: () => ctx.model.choose(),
    useBuiltInModel: () => ctx.model.useBuiltIn(),
    stats: () => showStats(),
    restart: () => ctx.restart(),
    log: () => {
      ctx.log.show();
    },
  };
  for (const [name, command] of Object.entries(all)) {
    ctx.context.subscriptions.push(commands.registerCommand(`tabahead.${name}`, command));
  }
  ctx.context.subscriptions.push(
    workspace.registerTextDocumentContentProvider(STATS, {
      provideTextDocumentContent: async () =>
        JSON.stringify((await ctx.figures.refresh()) ?? {}, undefined, 2),
    }),
  );
}

/** Accepts a part by the editor's own command, and reports to the server how much that was: the
 * editor runs a suggestion's command only when all of it is accepted at once. */
async function acceptPart(ctx: Ctx, command: string): Promise<void> {
  const offered = ctx.offered;
  await commands.executeCommand(command);
  const editor = window.activeTextEditor;
  const start = offered?.item.range instanceof Range ? offered.item.range.start : undefined;
  if (!offered || !start || editor?.document !== offered.document) return;
  const accepted = offered.document.getText(new Range(start, editor.selection.active));
  const text = offered.item.insertText;
  if (accepted !== '' && typeof text === 'string' && text.startsWith(accepted)) {
    ctx.server?.acceptedPart(offered.item, accepted.length);
  }
}

async function toggleFile(ctx: Ctx): Promise<void> {
  const document = window.activeTextEditor?.document;
  if (!document || document.isUntitled) return;
  const { path } = document.uri;
  await pauseFile(ctx.context, path, !pausedFiles(ctx.context).includes(path));
  ctx.settingsChanged();
}

async function toggleLanguage(): Promise<void> {
  const language = window.activeTextEditor?.document.languageId;
  if (language !== undefined) await pauseLanguage(language, isLanguageOn(language));
}

async function showStats(): Promise<void> {
  // A different query each time: the content of the same URI would not be requested again.
  const uri = Uri.from({ scheme: STATS, path: 'tabahead.json', query: String(Date.now()) });
  const document = await workspace.openTextDocument(uri);
  await window.showTextDocument(document, { preview: true });
}

async function showMenu(ctx: Ctx): Promise<void> {
  await ctx.figures.refresh();
  const document = window.activeTextEditor?.document;
  const entries: (QuickPickItem & { command: string })[] = [];
  const pause = (isPaused: boolean, where: string): string =>
    `${isPaused ? '$(play) Resume' : '$(debug-pause) Pause'} in ${where}`;
  // A document without a name cannot be remembered by its path.
  if (document && !document.isUntitled) {
    const isPaused = pausedFiles(ctx.context).includes(document.uri.path);
    entries.push({ label: pause(isPaused, 'this file'), command: 'pauseFile' });
  }
  if (document) {
    const { languageId } = document;
    entries.push({
      label: pause(!isLanguageOn(languageId), `${languageId} files`),
      command: 'pauseLanguage',
    });
  }
  entries.push(
    { label: '$(file-binary) Choose model file…', command: 'chooseModel' },
    { label: '$(graph) Show statistics', command: 'stats' },
    { label: '$(debug-restart) Restart', command: 'restart' },
    { label: '$(output) Show log', command: 'log' },
  );
  const chosen = await window.showQuickPick(entries, { title: ctx.status.summary });
  if (chosen) await commands.executeCommand(`tabahead.${chosen.command}`);
}
