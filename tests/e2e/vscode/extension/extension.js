// The smallest client that VS Code can have: vscode-languageclient as it comes. It writes one line for
// each request, with what became of it, to the file that TABAHEAD_CALLS names. Ahead of the editor's first
// request it makes one of its own elsewhere in the file, so that there is one which a newer one replaces.

const fs = require('fs');
const { Position } = require('vscode');
const { LanguageClient } = require('vscode-languageclient/node');

let client;
let replaced = false;

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
        if (!replaced) {
          replaced = true;
          ask(new Position(0, 3), true);
        }
        return ask(position, false);
      },
    },
  });
  return client.start();
};

exports.deactivate = () => client?.stop();
