// The smallest client that VS Code can have: vscode-languageclient as it comes. It writes one line for
// each request, with what became of it, to the file that TABAHEAD_CALLS names. Ahead of each of the
// editor's first requests it makes one of its own elsewhere in the file, where no answer is known and the
// prompt is long: one that a newer one replaces.

const fs = require('fs');
const { Position } = require('vscode');
const { LanguageClient } = require('vscode-languageclient/node');

let client;
let replaced = 0;
const REPLACED = 5;

function note(call) {
  fs.appendFileSync(process.env.TABAHEAD_CALLS, JSON.stringify(call) + '\n');
}

exports.activate = () => {
  const server = { command: process.env.TABAHEAD, args: ['lsp'] };
  client = new LanguageClient('tabahead', 'tabahead', server, {
    documentSelector: [{ scheme: 'file', language: 'rust' }],
    middleware: {
      provideInlineCompletionItems: (document, position, context, token, next) => {
        const ask = async (position, replaced) => {
          const call = { replaced, line: position.line, character: position.character };
          try {
            const answer = await next(document, position, context, token);
            const items = Array.isArray(answer) ? answer : answer?.items;
            note({ ...call, cancelled: token.isCancellationRequested, items: items ? items.length : null });
            return answer;
          } catch (error) {
            const cancelled = token.isCancellationRequested || error.name === 'Canceled';
            note({ ...call, cancelled, error: cancelled ? undefined : String(error), items: null });
            throw error;
          }
        };
        if (replaced < REPLACED) {
          replaced += 1;
          ask(new Position(40 + 4 * replaced, 10), true);
        }
        return ask(position, false);
      },
    },
  });
  return client.start();
};

exports.deactivate = () => client?.stop();
