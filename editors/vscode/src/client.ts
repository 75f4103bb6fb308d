// The language client of VS Code, and what is said between it and our server.

import { type InlineCompletionItem, type InlineCompletionList, type TextDocument, window } from 'vscode';
import {
  CloseAction,
  ErrorAction,
  type ErrorHandler,
  LanguageClient,
  type LanguageClientOptions,
  RevealOutputChannelOn,
  type TextDocumentFilter,
} from 'vscode-languageclient/node';
import type { Ctx } from './ctx';
import { type Settings } from './config';
import { didFocus } from './protocol';

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

export function createClient(ctx: Ctx, program: string, initial: Settings): LanguageClient {
  const options: LanguageClientOptions = {
    documentSelector: DOCUMENTS,
    initializationOptions: initial,
    outputChannel: ctx.log,
    revealOutputChannelOn: RevealOutputChannelOn.Never,
    errorHandler: errorHandler(ctx),
    // What is wrong is told by whoever started the client.
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
  return new LanguageClient('tabahead', 'tabahead', { command: program, args: ['lsp'] }, options);
}

/** Tells the server where the focus is. */
export function focus(client: LanguageClient): Promise<void> {
  const document = window.activeTextEditor?.document;
  const textDocument = document && client.code2ProtocolConverter.asTextDocumentIdentifier(document);
  return client.sendNotification(didFocus, textDocument ? { textDocument } : {});
}

function items(
  answer: InlineCompletionItem[] | InlineCompletionList | null | undefined,
): InlineCompletionItem[] {
  return Array.isArray(answer) ? answer : (answer?.items ?? []);
}

/** Starts a server anew that was killed, silently. One that cannot live is given up, and the status bar says so. */
function errorHandler(ctx: Ctx): ErrorHandler {
  let ends: number[] = [];
  return {
    error: () => ({ action: ErrorAction.Continue, handled: true }),
    closed: () => {
      const now = Date.now();
      ends = [...ends.filter((end) => now - end < MINUTES * 60_000), now];
      if (ends.length <= ENDS) return { action: CloseAction.Restart, handled: true };
      ctx.status.fail(`The server ended ${ends.length} times in ${MINUTES} minutes; the log may say why.`);
      return { action: CloseAction.DoNotRestart, handled: true };
    },
  };
}
