// The state of one window: the server, the status bar, the log, and the reactions to their changes.

import { type ExtensionContext, type LogOutputChannel, commands, window, workspace } from 'vscode';
import { NoServer, findServer, tooOld } from './bootstrap';
import type { Offered, Server, ServerListener } from './client';
import { type Settings, serverPath, settings } from './config';
import { Figures } from './figures';
import { ModelChoice } from './model';
import type { Status } from './protocol';
import { StatusBar } from './status';

export class Ctx implements ServerListener {
  readonly log: LogOutputChannel;
  readonly status: StatusBar;
  readonly figures: Figures;
  readonly model: ModelChoice;
  /** The most recent suggestion that the editor received. */
  offered: Offered | undefined;
  server: Server | undefined;
  private initial: Settings = {};
  /** The pending starts and stops of the server, one after the other. */
  private turn: Promise<void> = Promise.resolve();

  constructor(readonly context: ExtensionContext) {
    this.log = window.createOutputChannel('tabahead', { log: true });
    this.status = new StatusBar();
    this.figures = new Figures(this.status, context.globalState, async () => this.server?.stats());
    this.model = new ModelChoice(this.figures);
    context.subscriptions.push(
      this.log,
      this.status,
      window.onDidChangeActiveTextEditor(() => this.server?.focus()),
      window.onDidChangeTextEditorSelection(({ textEditor }) => this.server?.moved(textEditor)),
      workspace.onDidChangeConfiguration((change) => {
        if (change.affectsConfiguration('tabahead.server')) void this.restart();
        else if (change.affectsConfiguration('tabahead')) this.settingsChanged();
      }),
    );
  }

  start(): Promise<void> {
    return this.next(() => this.launch());
  }

  stop(): Promise<void> {
    return this.next(() => this.halt());
  }

  restart(): Promise<void> {
    return this.next(async () => {
      await this.halt();
      await this.launch();
    });
  }

  /** Sends the current settings. A message cannot unset a key that the server was started with;
   * if such a key is no longer set, the server is restarted. */
  settingsChanged(): void {
    const now = settings(this.context);
    if (Object.keys(this.initial).some((key) => !(key in now))) void this.restart();
    else this.server?.configure(now);
  }

  /** Enables or disables the keys that are meaningful only while there is a server. */
  isReady(ready: boolean): void {
    void commands.executeCommand('setContext', 'tabahead.ready', ready);
  }

  /** Handles an answer of the server. */
  answered(offered: Offered | undefined): void {
    if (offered) this.offered = offered;
    this.figures.touch();
  }

  /** Handles a new status of the server. */
  statusChanged(status: Status): void {
    this.status.set(status);
    void this.model.statusChanged(status);
  }

  private next(step: () => Promise<void>): Promise<void> {
    this.turn = this.turn.then(step);
    return this.turn;
  }

  private async halt(): Promise<void> {
    const server = this.server;
    this.server = undefined;
    this.isReady(false);
    await server?.stop();
  }

  private async launch(): Promise<void> {
    this.status.set({ kind: 'Inactive', busy: true, message: 'starting' });
    try {
      const bundled = this.context.asAbsolutePath('server/tabahead');
      const program = await findServer(serverPath(), bundled);
      this.log.info(`starting ${program}`);
      this.initial = settings(this.context);
      const client = await import('./client');
      const server = new client.Server(this, program, this.initial);
      this.server = server;
      const version = await server.start();
      const old = tooOld(version);
      if (old) throw new NoServer(old);
      this.log.info(`version ${version ?? 'unknown'}`);
    } catch (error) {
      await this.halt();
      const reason =
        error instanceof NoServer ? error.message : 'The server did not start; the log may have the reason.';
      this.status.fail(reason);
      this.log.error(reason, error);
      // Not awaited: the message stays until the user has read it.
      void this.report(reason);
    }
  }

  private async report(reason: string): Promise<void> {
    const button = 'Set the Path';
    if ((await window.showErrorMessage(`tabahead: ${reason}`, button)) === button) {
      await commands.executeCommand('workbench.action.openSettings', 'tabahead.server.path');
    }
  }
}
