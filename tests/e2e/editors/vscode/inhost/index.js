// Tests that can run only inside the editor's extension host: documents that are not files,
// settings through the editor's own interface, and the server's figures. VS Code runs them beside
// the installed extension (`extensionTestsPath`). Writes what it saw, or what went wrong, to the
// file that INHOST_RESULT names.

const assert = require('assert');
const fs = require('fs');
const vscode = require('vscode');
const { pause, wait } = require('../wait.js');

let query = 0;
async function stats() {
  const uri = vscode.Uri.from({ scheme: 'tabahead-stats', path: 'tabahead.json', query: `inhost${query++}` });
  return JSON.parse((await vscode.workspace.openTextDocument(uri)).getText());
}

const ORDERS = [
  'class Order:',
  '    def __init__(self, number, customer):',
  '        # the number that the customer has',
  '        self.number = number',
  '        self.customer = customer',
  '        self.title = "order of a customer"',
  '',
  '',
  'class Invoice:',
  '    def __init__(self, number, customer):',
  '        ',
].join('\n');

// Opens a document with the text of `marked`, asks at its `$0`, accepts what is shown, and returns
// the inserted text. The rest of the text must stay the same.
async function accepted(marked, language) {
  const [head, tail] = marked.split('$0');
  const document = await vscode.workspace.openTextDocument({ language, content: head + tail });
  const editor = await vscode.window.showTextDocument(document);
  const cursor = document.positionAt(head.length);
  editor.selection = new vscode.Selection(cursor, cursor);
  await wait('an accepted suggestion', async () => {
    await vscode.commands.executeCommand('editor.action.inlineSuggest.trigger');
    await pause(200);
    await vscode.commands.executeCommand('editor.action.inlineSuggest.commit');
    return document.getText() !== head + tail;
  });
  const text = document.getText();
  assert(text.startsWith(head) && text.endsWith(tail), text);
  return text.slice(head.length, text.length - tail.length);
}

async function untitledDocuments(seen) {
  for (const [what, line, expected] of [
    ['code', 'self.num$0', /^ber/],
    ['a comment', '# the number that the $0', /^customer/],
    ['a string', 'self.title = "order of a $0"', /^customer$/],
    ['the middle of a line', 'self.number = num$0  # as it is given', /^ber/],
  ]) {
    const text = await accepted(ORDERS + line, 'python');
    assert.match(text, expected);
    seen(`in ${what} of an untitled document: ${JSON.stringify(text)}`);
  }
  const windows = await accepted(`${ORDERS}self.number = number\n        $0`.replaceAll('\n', '\r\n'), 'python');
  assert(!/[^\r]\n/.test(windows), JSON.stringify(windows));
  // Closed only now: a closed document leaves its name to the next one, which may then get the text
  // that was kept for a crash.
  const untitled = vscode.workspace.textDocuments.filter((document) => document.isUntitled);
  for (const _ of untitled) {
    await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
  }
}

// Waits until the server computes nothing any more and has read at least `least` prompts ahead.
async function readAhead(least) {
  // The cursor must rest for a while before anything is read.
  await pause(500);
  return wait(`${least} prompts read ahead`, async () => {
    const now = await stats();
    return now.reads_ahead.finished >= least && now.generations.running === 0 && now;
  });
}

// The prompt at the cursor is read when a document is opened and when the cursor moves: a request
// there has little left to read.
async function reading(seen) {
  const { reads_ahead: { finished } } = await readAhead(0);
  // The text has few tokens for its bytes: a window that just fits the built-in model's context
  // would no longer fit after another key.
  const content = Array.from({ length: 200 }, (_, n) => `width_of_box_${n} = measure(box, "the whole width")\n`).join('');
  const document = await vscode.workspace.openTextDocument({ language: 'python', content });
  const editor = await vscode.window.showTextDocument(document);
  await readAhead(finished + 1);
  const end = document.lineAt(100).range.end;
  editor.selection = new vscode.Selection(end, end);
  const before = await readAhead(finished + 2);
  await vscode.commands.executeCommand('type', { text: '.' });
  await vscode.commands.executeCommand('editor.action.inlineSuggest.trigger');
  const after = await wait('an answer', async () => {
    const now = await stats();
    return now.requests > before.requests && now.generations.running === 0 && now;
  });
  const read = after.tokens.prefilled - before.tokens.prefilled;
  assert(before.tokens.prefilled > 400, `windows are long: ${before.tokens.prefilled} tokens`);
  assert(read < 100, `${read} prompt tokens were left to read`);
  await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
  seen(`the prompt at the cursor was read ahead; the first key there left ${read} tokens to read`);
}

async function settings(seen) {
  const configuration = vscode.workspace.getConfiguration('tabahead');
  const { contributes } = vscode.extensions.getExtension('tabahead.tabahead').packageJSON;
  const properties = Object.entries(contributes.configuration.properties);
  const before = await stats();
  const keys = [];
  for (const [key, { default: value, scope }] of properties) {
    // Machine settings are not user settings in a remote window.
    if (value === null || scope.startsWith('machine')) continue;
    const name = key.slice('tabahead.'.length);
    await configuration.update(name, value, vscode.ConfigurationTarget.Global);
    keys.push(name);
  }
  assert.equal((await stats()).settings.digest, before.settings.digest);
  await configuration.update('speculation.enabled', false, vscode.ConfigurationTarget.Workspace);
  await wait('a setting of the workspace', async () => !(await stats()).settings.speculation_enabled);
  await configuration.update('speculation.enabled', undefined, vscode.ConfigurationTarget.Workspace);
  await wait('that setting to go', async () => (await stats()).settings.speculation_enabled);
  for (const name of keys) await configuration.update(name, undefined, vscode.ConfigurationTarget.Global);
  await wait('the settings as they were', async () => (await stats()).settings?.digest === before.settings.digest);
  seen(`${keys.length} settings were taken at their defaults, one of the workspace won, and all could be taken back`);
}

async function commands(seen) {
  const { contributes } = vscode.extensions.getExtension('tabahead.tabahead').packageJSON;
  const all = await vscode.commands.getCommands(true);
  for (const { command } of contributes.commands) assert(all.includes(command), command);
  const before = await stats();
  await vscode.commands.executeCommand('tabahead.restart');
  const after = await wait('another server', async () => {
    const now = await stats();
    return now.pid && now.pid !== before.pid && now;
  });
  assert.equal(after.version, before.version);
  seen(`all ${contributes.commands.length} commands are there; restart made another server`);
}

exports.run = async () => {
  const lines = [];
  const seen = (line) => lines.push(`seen: ${line}`);
  try {
    await vscode.extensions.getExtension('tabahead.tabahead').activate();
    await wait('the model', async () => (await stats()).model?.state === 'ready');
    await untitledDocuments(seen);
    await reading(seen);
    await settings(seen);
    await commands(seen);
  } catch (error) {
    lines.push(`FAILED: ${error.stack}`);
  }
  fs.writeFileSync(process.env.INHOST_RESULT, lines.join('\n'));
};
