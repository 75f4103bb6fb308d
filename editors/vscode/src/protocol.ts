// What our server understands beyond LSP: docs/protocol.md, in TypeScript.

import {
  NotificationType,
  RequestType0,
  type InlineCompletionItem,
  type Position,
  type TextDocumentIdentifier,
  type VersionedTextDocumentIdentifier,
} from 'vscode-languageclient/node';

/** Which document has the focus; the server answers with its status there. */
export const didFocus = new NotificationType<{ textDocument?: TextDocumentIdentifier }>(
  'textDocument/didFocus',
);

/** Where the cursor is, in this version of the text. */
export const didMoveCursor = new NotificationType<{
  textDocument: VersionedTextDocumentIdentifier;
  position: Position;
}>('tabahead/didMoveCursor');

/** How much of a suggestion is accepted, in UTF-16 units from the start of its text. */
export const didPartiallyAccept = new NotificationType<{
  item: Pick<InlineCompletionItem, 'command'>;
  acceptedLength: number;
}>('textDocument/didPartiallyAcceptCompletion');

/** How the server is, where the focus is. */
export const status = new NotificationType<Status>('tabahead/status');

export interface Status {
  kind: 'Normal' | 'Inactive' | 'Error';
  /** Something is on its way that will change the status. */
  busy: boolean;
  message: string;
  /** How much of a model is read, while one is and as far as it is known. */
  percent?: number;
}

/** The server's figures since its model was loaded. */
export const stats = new RequestType0<Stats, void>('tabahead/stats');

/** Those of them that are drawn; the rest is shown as it comes. */
export interface Stats {
  pid: number;
  model: { state: string; id?: string };
  hits: Record<'exact' | 'typed_through' | 'joined' | 'speculated', number>;
  misses: number;
  /** Milliseconds that answers from what was computed ahead would have taken otherwise. */
  saved_ms: number;
  tokens: { per_second: number | null };
}
