// A running server: VS Code's language client, and our messages beyond those that it sends by
// itself.
//
// Loaded when a server is started, not with the extension: the client is nearly all of the bundle.

import {
  type Disposable,
  type InlineCompletionItem,
  type InlineCompletionList,
  type LogOutputChannel,
  type TextDocument,
  type TextEditor,
  commands,
  window,
  workspace,
} from 'vscode';
import {
  CloseAction,
  DidChangeConfigurationNotification,
  ErrorAction,
  type ErrorHandler,
  LanguageClient,
  type LanguageClientOptions,
  RevealOutputChannelOn,
  State,
  type TextDocumentFilter,
} from 'vscode-languageclient/node';
import type { Settings } from './config';
import {
  type Stats,
  type Status,
  didFocus,
  didMoveCursor,
  didPartiallyAccept,
  stats,
  status,
} from './protocol';
import type { StatusBar } from './status';

/** Documents whose text is synchronised. The server decides which of them get suggestions. */
const DOCUMENTS: TextDocumentFilter[] = ['file', 'untitled', 'vscode-notebook-cell'].map((scheme) => ({
  scheme,
}));

/** Maximum number of ends within `MINUTES`; a server that ends more often is not restarted. */
const ENDS = 4;
const MINUTES = 3;

/** Milliseconds after which a new server's window looks for changes without an answer. A change that
 * was made before the editor knew of the server is reported a little later. */
const CATCHING_UP = [0, 300, 1000];

/** A suggestion as the editor received it. */
export interface Offered {
  document: TextDocument;
  item: InlineCompletionItem;
}

/** What belongs to the window that a server reports to. */
export interface ServerListener {
  readonly log: LogOutputChannel;
  readonly status: StatusBar;
  /** Handles an answer, with or without a suggestion. */
  answered(offered: Offered | undefined): void;
  statusChanged(status: Status): void;
  /** Learns whether requests can be sent. */
  isReady(ready: boolean): void;
}

export class Server {
  private readonly client: LanguageClient;
  /** Whether the server has ever run; before that, its end is a failure of `start`. */
  private hasRun = false;
  /** The document that was edited last, until a server has answered for it. */
  private unanswered: TextDocument | undefined;
  private readonly edits: Disposable;

  /** `initial` holds the settings that the server starts with. */
  constructor(
    private readonly listener: ServerListener,
    program: string,
    initial: Settings,
  ) {
    const options: LanguageClientOptions = {
      documentSelector: DOCUMENTS,
      initializationOptions: initial,
      outputChannel: listener.log,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      errorHandler: errorHandler(listener, () => this.hasRun),
      // The caller of `start` reports the failure.
      initializationFailedHandler: () => false,
      middleware: {
        provideInlineCompletionItems: async (document, position, context, token, next) => {
          const { version } = document;
          const answer = await listener.status.showWaiting(async () =>
            next(document, position, context, token),
          );
          // A request that was pending when the server ended is answered by the client, with nothing.
          if (this.client.isRunning() && !token.isCancellationRequested && version === document.version)
            this.unanswered = undefined;
          const item = items(answer)[0];
          listener.answered(item && { document, item });
          return answer;
        },
      },
    };
    this.client = new LanguageClient('tabahead', 'tabahead', { command: program, args: ['lsp'] }, options);
    this.client.onNotification(status, (now) => {
      listener.statusChanged(now);
    });
    this.client.onDidChangeState(({ newState }) => {
      listener.isReady(newState === State.Running);
      if (newState === State.Starting)
        listener.status.set({ kind: 'Inactive', busy: true, message: 'starting' });
      if (newState === State.Running) {
        this.hasRun = true;
        this.focus();
        void this.catchUp().catch(this.note);
      }
    });
    this.edits = workspace.onDidChangeTextDocument(({ document }) => {
      if (document === window.activeTextEditor?.document) this.unanswered = document;
    });
  }

  /** Starts the server and returns its version. */
  async start(): Promise<string | undefined> {
    await this.client.start();
    return this.client.initializeResult?.serverInfo?.version;
  }

  /** Stops the server; one that does not answer is killed. */
  async stop(): Promise<void> {
    this.edits.dispose();
    await this.client.dispose().catch(this.note);
  }

  /** Asks for a suggestion if the user has typed while no server could answer: the editor itself asks
   * only after the next key. */
  private async catchUp(): Promise<void> {
    // The client can send requests once this start, which is running already, has ended.
    await this.client.start();
    for (const pause of CATCHING_UP) {
      await new Promise((resolve) => setTimeout(resolve, pause));
      const document = this.unanswered;
      if (document && document === window.activeTextEditor?.document)
        await commands.executeCommand('editor.action.inlineSuggest.trigger');
    }
  }

  /** Reports the focused document, and the cursor in it. */
  focus(): void {
    const editor = window.activeTextEditor;
    const converter = this.client.code2ProtocolConverter;
    const textDocument = editor && converter.asTextDocumentIdentifier(editor.document);
    this.send(() => this.client.sendNotification(didFocus, textDocument ? { textDocument } : {}));
    if (editor) this.moved(editor);
  }

  /** Reports the cursor if the focus is in this editor: the server reads ahead there. */
  moved(editor: TextEditor): void {
    if (editor !== window.activeTextEditor) return;
    const converter = this.client.code2ProtocolConverter;
    const textDocument = converter.asVersionedTextDocumentIdentifier(editor.document);
    const position = converter.asPosition(editor.selection.active);
    this.send(() => this.client.sendNotification(didMoveCursor, { textDocument, position }));
  }

  /** Sends all settings, which replace the previous ones. */
  configure(settings: Settings): void {
    this.send(() =>
      this.client.sendNotification(DidChangeConfigurationNotification.type, {
        settings: { tabahead: settings },
      }),
    );
  }

  /** Reports how much of a suggestion was accepted, in UTF-16 code units. */
  acceptedPart({ command }: InlineCompletionItem, acceptedLength: number): void {
    if (!command) return;
    const item = { command: { ...command, arguments: command.arguments ?? [] } };
    this.send(() => this.client.sendNotification(didPartiallyAccept, { item, acceptedLength }));
  }

  /** Returns the server's figures; undefined if it does not answer. */
  async stats(): Promise<Stats | undefined> {
    if (!this.client.isRunning()) return undefined;
    return this.client.sendRequest(stats).catch(() => undefined);
  }

  /** Sends a notification if the server runs; one that is dropped is made up for when it starts. */
  private send(something: () => Promise<void>): void {
    if (this.client.isRunning()) something().catch(this.note);
  }

  private readonly note = (error: unknown): void => {
    this.listener.log.warn(String(error));
  };
}

function items(
  answer: InlineCompletionItem[] | InlineCompletionList | null | undefined,
): InlineCompletionItem[] {
  return Array.isArray(answer) ? answer : (answer?.items ?? []);
}

/** Silently restarts a server that was killed. One that keeps ending is given up, and the status
 * bar shows it. */
function errorHandler(listener: ServerListener, hasRun: () => boolean): ErrorHandler {
  let ends: number[] = [];
  return {
    error: () => ({ action: ErrorAction.Continue, handled: true }),
    closed: () => {
      if (!hasRun()) return { action: CloseAction.DoNotRestart, handled: true };
      const now = Date.now();
      ends = [...ends.filter((end) => now - end < MINUTES * 60_000), now];
      if (ends.length <= ENDS) return { action: CloseAction.Restart, handled: true };
      listener.status.fail(
        `The server ended ${ends.length} times in ${MINUTES} minutes; the log may have the reason.`,
      );
      return { action: CloseAction.DoNotRestart, handled: true };
    },
  };
}
