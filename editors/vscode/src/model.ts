// Another model, chosen in a dialog: the setting is the user's own, and what follows is the server's status.

import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { Uri, commands, window } from 'vscode';
import { setModel, userModel } from './config';
import type { Ctx } from './ctx';
import type { Status } from './protocol';
import { nameOf } from './status';

/** Where the documentation puts models. */
const FOLDER = path.join(homedir(), '.local', 'share', 'tabahead');

export class ModelChoice {
  /** The model that answered when another one was chosen, until that one is there or refused. */
  private before: { id: string | undefined; isLoading: boolean } | undefined;

  constructor(private readonly ctx: Ctx) {}

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

  /** Goes back to the model that is in the program. */
  async useBuiltIn(): Promise<void> {
    await this.use('mini');
  }

  /** The server said how it is. */
  async statusChanged(status: Status): Promise<void> {
    if (!this.before) return;
    const { id, isLoading } = this.before;
    this.before = status.busy || !isLoading ? { id, isLoading: status.busy } : undefined;
    if (this.before) return;
    const now = (await this.ctx.figures.refresh())?.model.id;
    // Why a model is refused, the server has said itself.
    if (now === undefined || now === id) return;
    await commands.executeCommand('editor.action.inlineSuggest.trigger');
    // Not awaited: the message stays until the user closes it.
    void window.showInformationMessage(`tabahead: the model is ${nameOf(now)}`);
  }

  private async use(model: string): Promise<void> {
    if (model === userModel()) return;
    this.before = { id: (await this.ctx.figures.refresh())?.model.id, isLoading: false };
    await setModel(model);
  }
}
