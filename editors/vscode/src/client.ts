// A running server: VS Code's language client, and what is said to it beyond what that client says by itself.
//
// Loaded when a server is started, not with the extension: the client is nearly all of the bundle.

import {
  type InlineCompletionItem,
  type InlineCompletionList,
  type TextDocument,
  type TextEditor,
  window,
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
import type { Ctx } from './ctx';
import { type Stats, didFocus, didMoveCursor, didPartiallyAccept, stats, status } from './protocol';

/** Documents whose text is synchronised. Which of them get suggestions is the server's to say. */
const DOCUMENTS: TextDocumentFilter[] = ['file', 'untitled', 'vscode-notebook-cell'].map((scheme) => ({
  scheme,
}));

/** A server that ends more often than this in three minutes is left alone. */
const ENDS = 4;
const MINUTES = 3;

/** A suggestion as it was handed to the editor. */
export interface Offered {
  document: TextDocument;
  item: InlineCompletionItem;
}

export class Server {
  private readonly client: LanguageClient;
  /** It was there once; until then its end is the failure of `start`. */
  private hasRun = false;

  /** `initial` are the settings that it begins with. */
  constructor(
    private readonly ctx: Ctx,
    program: string,
    initial: Settings,
  ) {
    const options: LanguageClientOptions = {
      documentSelector: DOCUMENTS,
      initializationOptions: initial,
      outputChannel: ctx.log,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      errorHandler: errorHandler(ctx, () => this.hasRun),
      // What is wrong is told by whoever starts the server.
      initializationFailedHandler: () => false,
      middleware: {
        provideInlineCompletionItems: async (document, position, context, token, next) => {
          const answer = await ctx.status.think(async () => next(document, position, context, token));
          const item = items(answer)[0];
          if (item) ctx.offered = { document, item };
          ctx.figures.touch();
          return answer;
        },
      },
    };
    this.client = new LanguageClient('tabahead', 'tabahead', { command: program, args: ['lsp'] }, options);
    this.client.onNotification(status, (now) => {
      ctx.status.set(now);
      void ctx.model.statusChanged(now);
    });
    this.client.onDidChangeState(({ newState }) => {
      ctx.isReady(newState === State.Running);
      if (newState === State.Starting) ctx.status.set({ kind: 'Inactive', busy: true, message: 'starting' });
      if (newState === State.Running) {
        this.hasRun = true;
        this.focus();
      }
    });
  }

  /** Starts it, and gives its version. */
  async start(): Promise<string | undefined> {
    await this.client.start();
    return this.client.initializeResult?.serverInfo?.version;
  }

  /** Ends it; one that does not answer is killed. */
  async stop(): Promise<void> {
    await this.client.dispose().catch(this.note);
  }

  /** Says where the focus is, and the cursor there. */
  focus(): void {
    const editor = window.activeTextEditor;
    const converter = this.client.code2ProtocolConverter;
    const textDocument = editor && converter.asTextDocumentIdentifier(editor.document);
    this.say(() => this.client.sendNotification(didFocus, textDocument ? { textDocument } : {}));
    if (editor) this.moved(editor);
  }

  /** Says where the cursor is, if the focus is in this editor: what stands there is read ahead. */
  moved(editor: TextEditor): void {
    if (editor !== window.activeTextEditor) return;
    const converter = this.client.code2ProtocolConverter;
    const textDocument = converter.asVersionedTextDocumentIdentifier(editor.document);
    const position = converter.asPosition(editor.selection.active);
    this.say(() => this.client.sendNotification(didMoveCursor, { textDocument, position }));
  }

  /** Sends all settings, instead of those that were sent before. */
  configure(settings: Settings): void {
    this.say(() =>
      this.client.sendNotification(DidChangeConfigurationNotification.type, {
        settings: { tabahead: settings },
      }),
    );
  }

  /** Says how much of a suggestion is accepted, in UTF-16 units. */
  acceptedPart({ command }: InlineCompletionItem, acceptedLength: number): void {
    if (!command) return;
    const item = { command: { ...command, arguments: command.arguments ?? [] } };
    this.say(() => this.client.sendNotification(didPartiallyAccept, { item, acceptedLength }));
  }

  /** Its figures; undefined where it does not answer. */
  async stats(): Promise<Stats | undefined> {
    if (!this.client.isRunning()) return undefined;
    return this.client.sendRequest(stats).catch(() => undefined);
  }

  /** What a server cannot be told while it does not run, it learns when it starts. */
  private say(something: () => Promise<void>): void {
    if (this.client.isRunning()) something().catch(this.note);
  }

  private readonly note = (error: unknown): void => {
    this.ctx.log.warn(String(error));
  };
}

function items(
  answer: InlineCompletionItem[] | InlineCompletionList | null | undefined,
): InlineCompletionItem[] {
  return Array.isArray(answer) ? answer : (answer?.items ?? []);
}

/** Starts a server anew that was killed, silently. One that cannot live is given up, and the status bar says so. */
function errorHandler(ctx: Ctx, hasRun: () => boolean): ErrorHandler {
  let ends: number[] = [];
  return {
    error: () => ({ action: ErrorAction.Continue, handled: true }),
    closed: () => {
      if (!hasRun()) return { action: CloseAction.DoNotRestart, handled: true };
      const now = Date.now();
      ends = [...ends.filter((end) => now - end < MINUTES * 60_000), now];
      if (ends.length <= ENDS) return { action: CloseAction.Restart, handled: true };
      ctx.status.fail(`The server ended ${ends.length} times in ${MINUTES} minutes; the log may say why.`);
      return { action: CloseAction.DoNotRestart, handled: true };
    },
  };
}
