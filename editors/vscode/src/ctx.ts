// What belongs to one window: the client, the status bar, the log, and what happens when one of them changes.

import { type ExtensionContext, type LogOutputChannel, commands, window, workspace } from 'vscode';
import { DidChangeConfigurationNotification, type LanguageClient, State } from 'vscode-languageclient/node';
import { NoServer, findServer, tooOld } from './bootstrap';
import { type Offered, createClient, focus } from './client';
import { type Settings, serverPath, settings } from './config';
import { Figures } from './figures';
import { status } from './protocol';
import { StatusBar } from './status';

export class Ctx {
  readonly log: LogOutputChannel;
  readonly status: StatusBar;
  readonly figures: Figures;
  /** The newest suggestion that the editor was given. */
  offered: Offered | undefined;
  private client: LanguageClient | undefined;
  private initial: Settings = {};
  /** What starts and stops the client, one after the other. */
  private turn: Promise<void> = Promise.resolve();

  constructor(readonly context: ExtensionContext) {
    this.log = window.createOutputChannel('tabahead', { log: true });
    this.status = new StatusBar();
    this.figures = new Figures(context, this.status, () => this.client);
    context.subscriptions.push(
      this.log,
      this.status,
      window.onDidChangeActiveTextEditor(() => {
        this.say(focus);
      }),
      workspace.onDidChangeConfiguration((change) => {
        if (change.affectsConfiguration('tabahead.server')) void this.restart();
        else if (change.affectsConfiguration('tabahead')) this.settingsChanged();
      }),
    );
  }

  /** The client, where it runs. */
  get running(): LanguageClient | undefined {
    return this.client?.isRunning() ? this.client : undefined;
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

  /** Sends the settings as they are now. A key that the server was started with and that is no longer set cannot be
   * taken back by another message: then it starts anew. */
  settingsChanged(): void {
    const now = settings(this.context);
    if (Object.keys(this.initial).some((key) => !(key in now))) {
      void this.restart();
    } else {
      this.say((client) =>
        client.sendNotification(DidChangeConfigurationNotification.type, { settings: { tabahead: now } }),
      );
    }
  }

  /** Says something to the server, if there is one. What it cannot be told it learns when it starts anew. */
  say(something: (client: LanguageClient) => Promise<void>): void {
    if (this.running)
      something(this.running).catch((error: unknown) => {
        this.log.warn(String(error));
      });
  }

  private next(step: () => Promise<void>): Promise<void> {
    this.turn = this.turn.then(step);
    return this.turn;
  }

  private async halt(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    await commands.executeCommand('setContext', 'tabahead.ready', false);
    // A server that does not answer is killed by the client; there is nothing else to do about it here.
    await client?.dispose().catch((error: unknown) => {
      this.log.warn(String(error));
    });
  }

  private async launch(): Promise<void> {
    this.status.set({ kind: 'Inactive', busy: true, message: 'starting' });
    const bundled = this.context.asAbsolutePath('server/tabahead');
    try {
      const program = await findServer(serverPath(), bundled);
      this.log.info(`starting ${program}`);
      this.initial = settings(this.context);
      const client = createClient(this, program, this.initial);
      this.client = client;
      client.onNotification(status, (now) => {
        this.status.set(now);
      });
      client.onDidChangeState(({ newState }) => {
        void commands.executeCommand('setContext', 'tabahead.ready', newState === State.Running);
        if (newState === State.Running) this.say(focus);
        if (newState === State.Starting)
          this.status.set({ kind: 'Inactive', busy: true, message: 'starting' });
      });
      await client.start();
      const old = tooOld(client.initializeResult?.serverInfo?.version);
      if (old) {
        await this.halt();
        throw new NoServer(old);
      }
      this.log.info(`version ${client.initializeResult?.serverInfo?.version ?? 'unknown'}`);
    } catch (error) {
      const reason = error instanceof NoServer ? error.message : `The server did not start: ${String(error)}`;
      this.status.fail(reason);
      this.log.error(reason);
      // Not awaited: the message stays until somebody reads it.
      void this.tell(reason);
    }
  }

  private async tell(reason: string): Promise<void> {
    const button = 'Set the Path';
    if ((await window.showErrorMessage(`tabahead: ${reason}`, button)) === button) {
      await commands.executeCommand('workbench.action.openSettings', 'tabahead.server.path');
    }
  }
}
