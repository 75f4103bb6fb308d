// Choosing another model in a dialog: sets the user's own setting, and then follows the server's
// status.

import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { Uri, commands, window } from 'vscode';
import { setModel, userModel } from './config';
import type { Figures } from './figures';
import type { Status } from './protocol';
import { nameOf } from './status';

/** Folder in which the documentation places models. */
const FOLDER = path.join(homedir(), '.local', 'share', 'tabahead');

export class ModelChoice {
  /** The model that answered when another one was chosen, until that one is ready or refused. */
  private before: { id: string | undefined; isLoading: boolean } | undefined;

  constructor(private readonly figures: Figures) {}

  /** Asks for a file, and makes it the model. */
  async choose(): Promise<void> {
    const current = userModel();
    const folder = current && path.isAbsolute(current) ? path.dirname(current) : FOLDER;
    const chosen = await window.showOpenDialog({
      title: 'Choose a Model File',
      openLabel: 'Use This Model',
      filters: { 'GGUF models': ['gguf'] },
      ...(existsSync(folder) ? { defaultUri: Uri.file(folder) } : {}),
    });
    const file = chosen?.[0]?.fsPath;
    if (file !== undefined) await this.use(file);
  }

  /** Returns to the model that is built into the program. */
  async useBuiltIn(): Promise<void> {
    await this.use('mini');
  }

  /** Handles a new status of the server. */
  async statusChanged(status: Status): Promise<void> {
    if (!this.before) return;
    const { id, isLoading } = this.before;
    this.before = status.busy || !isLoading ? { id, isLoading: status.busy } : undefined;
    if (this.before) return;
    const now = (await this.figures.refresh())?.model.id;
    // If the model was refused, the server itself has reported why.
    if (now === undefined || now === id) return;
    await commands.executeCommand('editor.action.inlineSuggest.trigger');
    // Not awaited: the message stays until the user closes it.
    void window.showInformationMessage(`tabahead: the model is ${nameOf(now)}`);
  }

  private async use(model: string): Promise<void> {
    if (model === userModel()) return;
    this.before = { id: (await this.figures.refresh())?.model.id, isLoading: false };
    await setModel(model);
  }
}
