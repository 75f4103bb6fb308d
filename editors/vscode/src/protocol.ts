// The server's messages beyond LSP: docs/protocol.md, in TypeScript.

import {
  NotificationType,
  RequestType0,
  type InlineCompletionItem,
  type Position,
  type TextDocumentIdentifier,
  type VersionedTextDocumentIdentifier,
} from 'vscode-languageclient/node';

/** The document that has the focus; the server answers with its status for it. */
export const didFocus = new NotificationType<{ textDocument?: TextDocumentIdentifier }>(
  'textDocument/didFocus',
);

/** The cursor's position, in this version of the text. */
export const didMoveCursor = new NotificationType<{
  textDocument: VersionedTextDocumentIdentifier;
  position: Position;
}>('tabahead/didMoveCursor');

/** How much of a suggestion was accepted, in UTF-16 code units from the start of its text. */
export const didPartiallyAccept = new NotificationType<{
  item: Pick<InlineCompletionItem, 'command'>;
  acceptedLength: number;
}>('textDocument/didPartiallyAcceptCompletion');

/** The server's state, with respect to the focus. */
export const status = new NotificationType<Status>('tabahead/status');

export interface Status {
  kind: 'Normal' | 'Inactive' | 'Error';
  /** Whether something is in progress that will change the status. */
  busy: boolean;
  message: string;
  /** How much of a loading model has been read, if known. */
  percent?: number;
}

/** The server's figures since its model was loaded. */
export const stats = new RequestType0<Stats, void>('tabahead/stats');

/** The figures that are drawn; the others are shown unchanged. */
export interface Stats {
  pid: number;
  model: { state: string; id?: string };
  hits: Record<'exact' | 'typed_through' | 'joined' | 'speculated', number>;
  misses: number;
  /** Milliseconds that the user would have waited without answers computed ahead. */
  saved_ms: number;
  tokens: { per_second: number | null };
}
