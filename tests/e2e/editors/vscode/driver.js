// Does what users do with the extension, in VS Code's workbench, with real keys, the built program
// and the built-in model. Prints what it saw in lines that begin with "seen: "; any failed
// expectation ends it with code 1.
//
//     node driver.js
//
// needs TABAHEAD (the program), CHROMIUM, VSCODE_MODULES (a folder with node_modules), VSIX (the
// package), FOLDER (an empty folder) and, to look at screenshots afterwards, SCREENSHOTS (a
// folder).

const assert = require('assert');
const fs = require('fs');
const path = require('path');
const { PATIENCE, pause, wait } = require('./wait.js');
const { Workbench, inWindow } = require('./workbench.js');

const SIDES = Array.from({ length: 80 }, (_, n) => `const SIDE_${n}: f64 = ${n}.0; // how long side number ${n} is\n`);
const BEFORE = `${SIDES.join('')}
/// A rectangle.
pub struct Rectangle {
    width: f64,
    height: f64,
}

impl Rectangle {
    pub fn new(width: f64, height: f64) -> Self {
        Self { width, height }
    }

    pub fn area(&self) -> f64 {
        `;
const AFTER = '\n    }\n}\n';
// The suggested text already appears earlier in the file, so the suggestion is unambiguous.
const ORDERS = `class Order:
    def __init__(self, number, customer, items):
        self.number = number
        self.customer = customer
        self.items = items

    def total(self):
        total = 0
        for item in self.items:
            total += item.price * item.quantity
        return total

    def weight(self):
        weight = 0
        for item in self.items:
            weight += item.weight * item.quantity
        return weight


class Invoice:
    def __init__(self, number, customer, items):
        `;
const CALLS = `def report(order):
    show(order.number)
    show(order.customer)
    for item in order.items:
        show(item.name)
        show(item.price)


def receipt(order):
    show(order.number)
    show(order.customer)
    for item in order.items:
        `;
const CURSORS = `${ORDERS.slice(0, ORDERS.indexOf('class Invoice'))}def number():\n    \n    `;
const NOTEBOOK = {
  cells: ['prices = [3, 4, 5]\nfor price in prices:\n    print(price)', 'total = sum(prices)'].map((source) => ({
    cell_type: 'code', execution_count: null, metadata: {}, outputs: [], source: [source],
  })),
  metadata: { language_info: { name: 'python' } },
  nbformat: 4,
  nbformat_minor: 2,
};
const FILES = {
  'area.rs': BEFORE + AFTER,
  'cycle.rs': BEFORE + AFTER,
  'orders.py': ORDERS,
  'parts.py': ORDERS,
  'popup.py': ORDERS,
  'pause.py': ORDERS,
  'killed.py': ORDERS,
  'figures.py': ORDERS,
  'along.py': ORDERS,
  'cursors.py': CURSORS,
  'calls.py': CALLS.replaceAll('\n', '\r\n'),
  'look.ipynb': JSON.stringify(NOTEBOOK),
  '.env': 'TOKEN=',
  'model.py': ORDERS,
  // Settings that an opened folder must not decide.
  '.vscode/settings.json': JSON.stringify({
    'tabahead.model': '/no/such/model.gguf',
    'tabahead.server.path': '/no/such/program',
  }),
};
const SETTINGS = {
  'editor.inlineSuggest.enabled': true,
  'editor.quickSuggestions': { other: 'off', comments: 'off', strings: 'off' },
  'editor.wordBasedSuggestions': 'currentDocument',
  'editor.suggestOnTriggerCharacters': false,
  'extensions.autoCheckUpdates': false,
  'security.workspace.trust.enabled': false,
  'workbench.startupEditor': 'none',
  'workbench.editor.enablePreview': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'editor.minimap.enabled': false,
  'chat.disableAIFeatures': true,
  'telemetry.telemetryLevel': 'off',
  'files.autoSave': 'off',
  'window.dialogStyle': 'custom',
};

const seen = (message) => console.log(`seen: ${message}`);
const json = JSON.stringify;
const lineCount = (text) => text.split('\n').length;

// Waits until the server has answered everything and computes nothing. The figures that it writes
// are at most two seconds old. Beside other work a large model computes ahead slowly, so only a wait
// without any progress fails.
async function settled(workbench) {
  await pause(2_100);
  let counted = '';
  let begin = Date.now();
  return wait('the server to rest', () => {
    const now = workbench.stats();
    if (now && now.generations.running === 0) return now;
    const tokens = JSON.stringify(now?.tokens);
    if (tokens !== counted) [counted, begin] = [tokens, Date.now()];
    if (Date.now() - begin > PATIENCE) throw new Error('waited in vain for the server to rest');
    return null;
  }, Infinity);
}

async function typesAndAccepts(workbench, window) {
  const line = lineCount(BEFORE);
  await window.openFile('area.rs', line, 9);

  // As fast as the driver can: most of these requests are superseded by the next one.
  let typed = 'self.wid';
  await window.type(typed);
  for (const key of 'th * self.') {
    await pause(700);
    if ((await window.ghost()).trim()) break;
    await window.type(key);
    typed += key;
  }
  const ghost = await window.shown();
  await window.shoot('ghost-text');
  seen(`ghost text on the screen: ${json(ghost)}`);
  const before = await settled(workbench);
  assert.match(await window.bell(), /^No/, 'the user saw no message');
  assert.equal(before.failed, 0);
  assert((await window.screen()).includes(typed), 'the screen has what was typed');

  await window.type('\t');
  await window.shown('Tab to be taken', (now) => now !== ghost);
  const after = await workbench.figures('an answer from what was computed ahead',
    (now) => now.requests > before.requests && now.hits.speculated > before.hits.speculated);
  await window.shoot('accepted');
  const first = ghost.split('\n')[0];
  assert((await window.screen()).includes(typed + first), 'the screen has the suggestion');
  const text = await window.saved('area.rs');
  assert(text.startsWith(BEFORE + typed + first), text.slice(BEFORE.length));
  assert(text.endsWith(AFTER), text.slice(-80));
  seen(`Tab put it into the file: ${json(text.slice((BEFORE + typed).length, text.length - AFTER.length))}`);
  seen(`the next request was answered from a speculated path: ${json(after.hits)}`);
  await workbench.figures('the accept to be reported', (now) => now.accepted > 0);
  seen('the accepted command reached the server');
}

// Tab three times: after each, the screen and the file hold what was shown, and the next suggestion
// was computed ahead.
async function acceptsOnAndOn(workbench, window) {
  await window.openFile('orders.py', lineCount(ORDERS), 9);
  await window.type('self.');
  let text = `${ORDERS}self.`;
  for (let tab = 1; tab <= 3; tab += 1) {
    const ghost = await window.shown();
    const before = await settled(workbench);
    await window.type('\t');
    await window.shown('Tab to be taken', (now) => now !== ghost);
    text = await window.saved('orders.py');
    const after = await settled(workbench);
    assert.equal(after.accepted, before.accepted + 1, 'the accept was reported');
    assert((await window.screen()).includes(text.split('\n').at(-1)), 'the screen has what the file has');
    assert(text.endsWith(ghost), `${json(ghost)} ends\n${text}`);
    assert.equal(after.misses, before.misses, 'nothing had to be computed');
    if (tab === 1) await window.shoot('chain');
  }
  seen(`Tab, Tab, Tab wrote ${json(text.slice(ORDERS.length))}, and nothing had to be computed after a Tab`);
}

// Typing along keeps the ghost text: in every frame, the typed text and the remaining ghost text
// form the same line.
async function keepsTheGhost(workbench, window) {
  await window.openFile('along.py', lineCount(ORDERS), 9);
  await window.type('self.');
  const ghost = await window.shown();
  const whole = `self.${ghost}`;
  await window.page.evaluate(() => {
    window.drawn = [];
    const line = () => [...document.querySelectorAll('.view-lines > .view-line')]
      .find((line) => line.querySelector('.ghost-text-decoration'));
    const frame = () => {
      window.drawn.push(line()?.textContent.replace(/\u00a0/g, ' ').trim() ?? '');
      if (!window.stopped) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
  for (const key of ghost.slice(0, -2)) {
    await window.type(key);
    await pause(120);
  }
  const frames = await window.page.evaluate(() => {
    window.stopped = true;
    return window.drawn;
  });
  const others = frames.filter((frame) => frame !== whole);
  assert.deepStrictEqual(others, [], `of ${frames.length} frames`);
  seen(`typed along ${json(ghost)}: the same line in all of ${frames.length} frames`);
  await window.saved('along.py');
}

// Accepts by word and by line with the extension's own commands, which report to the server what
// was taken.
async function acceptsParts(workbench, window) {
  await window.openFile('parts.py', lineCount(ORDERS), 9);
  await window.type('self.');
  const ghost = await window.shown();
  const before = await settled(workbench);
  await window.keyboard.press('Control+ArrowRight');
  await window.shown('a word to be taken', (now) => now !== ghost && now.trim() !== '');
  assert.equal((await window.saved('parts.py')).split('\n').at(-1), '        self.number');
  // A single character: from the text alone, it could have been typed.
  const rest = await window.shown();
  await window.keyboard.press('Control+ArrowRight');
  await window.shown('a space to be taken', (now) => now !== rest && now.trim() !== '');
  await window.keyboard.press('Alt+End');
  await wait('a line to be taken', async () => (await window.screen()).includes('self.number = number\n') || (await window.screen()).endsWith('self.number = number'));
  const text = await window.saved('parts.py');
  assert.equal(text.split('\n').at(-1), '        self.number = number');
  const after = await settled(workbench);
  assert.equal(after.outcomes.accepted_word, before.outcomes.accepted_word + 2, json(after.outcomes));
  assert.equal(after.outcomes.typed_along, before.outcomes.typed_along, json(after.outcomes));
  seen(`of ${json(ghost)}, Ctrl+Right took "number", then " ", and Alt+End the rest; the server counts ${json(after.outcomes)}`);
}

// Asking for another suggestion adds suggestions, and the next one replaces the first. Within a
// word there may be no other, so typing goes on until there is one.
async function cycles(workbench, window) {
  await window.openFile('cycle.rs', lineCount(BEFORE), 9);
  let one, other;
  for (const key of 'self.width * self.') {
    await window.type(key);
    await pause(400);
    one = await window.ghost();
    if (!one.trim()) continue;
    await window.keyboard.press('Alt+BracketRight');
    await pause(600);
    other = await window.ghost();
    if (other.trim() && other !== one) break;
  }
  assert(other && other !== one, 'there was no other suggestion anywhere');
  await window.shoot('another');
  await window.keyboard.press('Alt+BracketLeft');
  await window.shown('the first suggestion again', (now) => now === one);
  seen(`asked for another one than ${json(one)}: ${json(other)}, and went back`);
  await window.keyboard.press('Escape');
  await wait('the ghost to go', async () => (await window.ghost()) === '');
  await window.keyboard.press('Alt+Backslash');
  await window.shown('what was dismissed, by the key that asks for it');
  seen('Escape took the ghost away, and Alt+\\ brought it back');
}

// Brackets that the editor closes by itself, in the middle of a line, in a file with CRLF line
// ends.
async function closesBrackets(workbench, window) {
  await window.openFile('calls.py', lineCount(CALLS), 9);
  await window.type('show(');
  const inside = await window.shown();
  await window.shoot('brackets');
  await window.type('\t');
  await window.shown('Tab to be taken', (now) => now !== inside);
  const text = await window.saved('calls.py');
  const line = text.split('\r\n').at(-1).trim();
  assert.match(line, /^show\(\w[^()]*\)$/, json(text));
  assert(!/[^\r]\n/.test(text), 'every line of the file ends as before');
  assert((await window.screen()).includes(line));
  seen(`inside brackets that the editor had closed, Tab made ${json(line)}, and a file of CRLF stayed one`);
}

// With the popup open, the ghost text continues from the selected item.
async function extendsThePopup(workbench, window) {
  await window.openFile('popup.py', lineCount(ORDERS), 9);
  await window.type('self.cus');
  await window.keyboard.press('Control+Space');
  await window.page.waitForSelector('.suggest-widget.visible .monaco-list-row.focused');
  const selected = (await window.text('.suggest-widget.visible .monaco-list-row.focused .label-name')).trim();
  assert.equal(selected, 'customer');
  const ghost = await window.shown('a ghost after the selected word');
  assert(ghost.startsWith('tomer'), json(ghost));
  await window.shoot('popup');
  await window.type('\t');
  await wait('the word to be taken', async () => (await window.screen()).includes('self.customer'));
  const line = (await window.saved('popup.py')).split('\n').at(-1);
  assert.equal(line, '        self.customer');
  const rest = await window.shown();
  await window.type('\t');
  await wait('the rest to be taken', async () => !(await window.ghost()).startsWith(rest));
  const text = await window.saved('popup.py');
  assert.equal(text.split('\n')[lineCount(ORDERS) - 1], `        self.customer${rest.split('\n')[0]}`);
  seen(`with "${selected}" selected in the popup the ghost was ${json(ghost)}; Tab took the word, Tab the rest`);
}

async function worksWithTwoCursors(workbench, window) {
  await window.openFile('cursors.py', lineCount(CURSORS) - 1, 5);
  await window.command('Add Cursor Below');
  await window.type('self.');
  const ghost = await window.shown();
  await window.shoot('two-cursors');
  await window.type('\t');
  await wait('Tab to be taken', async () => (await window.ghost()) !== ghost);
  const text = await window.saved('cursors.py');
  assert((await window.screen()).endsWith(text.split('\n').at(-1)));
  const [one, two] = text.split('\n').slice(lineCount(CURSORS) - 2, lineCount(CURSORS));
  assert.equal(two, one);
  assert.equal(ghost, one.slice('    self.'.length).repeat(2), 'each cursor had its ghost');
  seen(`at two cursors Tab made ${json(one)} and ${json(two)}`);
}

async function pauses(workbench, window) {
  await window.openFile('.env', 1, 7);
  await window.statusIs('tabahead is paused: a file of this name may hold secrets');
  seen(`in .env: "${await window.status()}"`);
  await window.openFile('pause.py', lineCount(ORDERS), 9);
  await window.statusIs('tabahead is idle');
  await window.changeSettings({ 'tabahead.languages': { python: false } });
  await window.focusIsBack();
  await window.statusIs('tabahead is paused: off for this language');
  await window.type('self.');
  // The editor asks only a while after a key.
  await wait('a request to be answered with silence', async () => (await settled(workbench)).silent > 0);
  assert.equal(await window.ghost(), '');
  await window.shoot('paused');
  await window.changeSettings({ 'tabahead.languages': {} });
  await window.focusIsBack();
  await window.statusIs('tabahead is idle');
  await window.type('nu');
  await window.shown();
  seen('a language was turned off and on in settings.json: no ghost, and a ghost again, without a reload');
  await window.command('tabahead: Pause or Resume in This File');
  await window.statusIs('tabahead is paused: off for this file');
  await window.command('tabahead: Pause or Resume in This File');
  await window.statusIs('tabahead is idle');
  await window.changeSettings({ 'tabahead.speculation.depth': 99 });
  const message = await wait('the message', async () => (await window.messages())[0]);
  assert.match(message, /speculation\.depth.*from 0 to 32/);
  seen(`a value that cannot be used: "${message}"`);
  await window.changeSettings({ 'tabahead.speculation.depth': 3 });
}

// Checks the tooltip of the status bar item, and the menu that a click on it opens.
async function showsFigures(workbench, window) {
  await window.openFile('figures.py', lineCount(ORDERS), 9);
  await window.type('self.');
  await window.shown();
  await window.page.hover('.statusbar-item[id*="tabahead.status"] a');
  const tooltip = await wait('the tooltip', async () => {
    const text = await window.text('.monaco-hover:not(.hidden)');
    return text.includes('tokens/s') && text;
  });
  await window.shoot('tooltip');
  assert.match(tooltip, /tabahead is \w+.*model: tabahead-mini.*answered at once: \d+ % of \d+.*saved today: [\d.]+ s.*\d+ tokens\/s/s);
  seen(`under the mouse: ${json(tooltip.trim().replace(/\s+/g, ' '))}`);
  await window.page.click('.statusbar-item[id*="tabahead.status"] a');
  const labels = await wait('the menu', () => window.page.evaluate(() => {
    const rows = [...document.querySelectorAll('.quick-input-widget .monaco-list-row .label-name')];
    const labels = rows.map((row) => row.textContent.trim());
    return labels.includes('Restart') && labels;
  }));
  await window.shoot('menu');
  assert.deepStrictEqual(labels,
    ['Pause in this file', 'Pause in python files', 'Choose model file…', 'Show statistics', 'Restart', 'Show log']);
  await window.page.click('.quick-input-widget .monaco-list-row >> text=Pause in this file');
  await window.statusIs('tabahead is paused: off for this file');
  await window.command('tabahead: Pause or Resume in This File');
  await window.statusIs('tabahead is idle');
  seen(`after a click: ${json(labels)}`);
}

// A model is chosen in the dialog: the status bar shows how much of it is loaded, and then there is
// ghost text without a key.
async function choosesAModel(workbench, window) {
  const mini = await settled(workbench);
  assert.match(mini.model.id, /^tabahead-mini/, 'the folder decides nothing about model and program');
  seen('a model and a program that the opened folder names are not taken');

  const copy = path.join(workbench.folder, 'tabahead copy.gguf');
  const root = path.join(__dirname, '..', '..', '..', '..', 'crates');
  const bytes = fs.readFileSync(path.join(root, 'tabahead-mini', 'mini.gguf'));
  bytes.write('tabahead-copy', bytes.indexOf('tabahead-mini'));
  fs.writeFileSync(copy, bytes);
  const chosen = process.env.TABAHEAD_REAL_MODEL ?? copy;

  await window.openFile('model.py', lineCount(ORDERS), 9);
  await window.type('self.');
  await window.shown();
  await window.keyboard.press('Escape');
  await window.page.evaluate(() => {
    const item = () => document.querySelector('.statusbar-item[id*="tabahead.status"] a')?.getAttribute('aria-label');
    window.statuses = [];
    const note = () => {
      if (window.statuses.at(-1) !== item()) window.statuses.push(item());
    };
    window.noting = new MutationObserver(note);
    window.noting.observe(document.querySelector('.part.statusbar'), { attributes: true, childList: true, subtree: true });
  });
  await window.chooseFile('tabahead: Choose Model File…', chosen, () => window.shoot('choose-model'));
  const loaded = await workbench.figures('another model', (now) => now.model.id && now.model.id !== mini.model.id);
  const ghost = await window.shown('ghost text by the other model, without a key');
  await window.shoot('chosen');
  const statuses = await window.page.evaluate(() => {
    window.noting.disconnect();
    return window.statuses;
  });
  const percents = statuses.filter((status) => /^tabahead is loading the model, \d+ %/.test(status));
  // The small file is loaded faster than the status bar is drawn.
  if (process.env.TABAHEAD_REAL_MODEL) assert(percents.length > 1, json(statuses));
  const message = await wait('the message', async () => (await window.messages())[0]);
  assert.match(message, /^tabahead: the model is /);
  assert(message.endsWith(loaded.model.id.replace(/-[0-9a-f]{16}$/, '')), message);
  assert.equal(workbench.machineSettings()['tabahead.model'], chosen);
  seen(`"${message}"; the status bar showed ${json(percents)}, and without a key there was ${json(ghost)}`);

  const refused = [
    [path.join(root, 'tabahead-engine', 'tests', 'fixtures', 'qwen3.gguf'), /tokenizer/],
    [path.join(root, 'tabahead-mini', 'README.md'), /README\.md/],
  ];
  for (const [file, reason] of refused) {
    await window.changeSettings({ ...workbench.machineSettings(), 'tabahead.model': file }, 'Remote');
    const line = await wait('the message', async () => (await window.messages())[0]);
    assert.match(line, /^tabahead: model cannot be used: .*; the model before it stays$/);
    assert.match(line, reason);
    await window.statusIs('tabahead is idle');
    assert.equal((await settled(workbench)).model.id, loaded.model.id);
    seen(`what cannot be used: "${line.replace(root, '…')}"`);
  }

  await window.command('tabahead: Use the Built-in Model');
  await workbench.figures('the built-in model', (now) => now.model.id === mini.model.id);
  workbench.settings.Remote = workbench.machineSettings();
  await window.statusIs('tabahead is idle');
  await window.openFile('model.py', lineCount(ORDERS), 14);
  await window.type('cu');
  await window.shown();
  await window.messages();
  seen('the built-in model again, and its ghost text');
}

async function survivesItsServer(workbench, window) {
  await window.openFile('killed.py', lineCount(ORDERS), 9);
  const before = await settled(workbench);
  process.kill(before.pid, 'SIGKILL');
  await window.type('self.');
  await workbench.figures('another server', (now) => now.pid !== before.pid);
  await window.shown('a ghost by another server, without another key');
  assert.match(await window.bell(), /^No/, 'the user saw no message');
  await window.type('\t');
  assert.match((await window.saved('killed.py')).split('\n')[lineCount(ORDERS) - 1], /^ {8}self\.\w/);
  seen('the server was killed; the next one made a ghost for what was typed since, without another key, and the user saw no message');
  const after = await settled(workbench);
  await window.closeEditor();
  const closed = await settled(workbench);
  assert.equal(closed.documents, after.documents - 1);
  await window.openFile('orders.py', 1, 1);
  assert.equal(await window.ghost(), '');
  seen('a closed file is forgotten');

  // One server was killed above. A server that keeps ending is restarted a few times, and then not
  // until the user asks for it.
  let { pid } = closed;
  for (let kills = 2; ; kills += 1) {
    process.kill(pid, 'SIGKILL');
    if (kills === 5) break;
    ({ pid } = await workbench.figures('another server', (now) => now.pid !== pid));
  }
  await window.statusIs('tabahead is not working: The server ended 5 times in 3 minutes');
  assert.match(await window.bell(), /^No/, 'the status bar showed enough');
  await window.command('tabahead: Restart');
  await window.statusIs('tabahead is idle');
  seen('a server that was killed five times was left alone until "Restart"');
}

async function worksInACell(workbench, window) {
  await window.openNotebook('look.ipynb');
  await window.page.click('.cell .monaco-editor .view-lines >> nth=1');
  await window.keyboard.press('Control+End');
  await window.type('\nfor price in pri');
  const ghost = await window.shown();
  await window.shoot('notebook');
  await window.type('\t');
  const cell = `for price in pri${ghost}`;
  await wait('Tab to be taken', async () => (await window.ghost()) !== ghost);
  await wait('the cell to have it', async () => (await window.cells()).includes(cell));
  seen(`in a notebook's cell, Tab made ${json(cell)}`);
}

// Waits for a message of the extension, and returns it. Beside other work the one before it may
// still come.
function messageThat(window, pattern) {
  return wait(`a message like ${pattern}`, async () => (await window.messages()).find((message) => pattern.test(message)));
}

async function reportsWhatIsWrong(workbench, window) {
  await window.changeSettings({ 'tabahead.server.path': path.join(workbench.folder, 'nothing') }, 'Remote');
  await window.statusIs('tabahead is not working');
  const missing = await messageThat(window, /tabahead\.server\.path is .*, but there is no program/);
  assert.match(await window.status(), /tabahead is not working/);
  await window.shoot('missing');
  seen(`without a program: "${missing.replace(workbench.folder, '…')}"`);
  // A folder may be entered, which is the same permission as executing a file.
  await window.changeSettings({ 'tabahead.server.path': workbench.folder }, 'Remote');
  const isFolder = `tabahead.server.path is "${workbench.folder}", but there is no program`;
  await wait(isFolder, async () => (await window.messages()).some((message) => message.includes(isFolder)));
  seen('a folder is no program');
  await window.changeSettings({ 'tabahead.server.path': oldServer(workbench) }, 'Remote');
  const old = await messageThat(window, /is of version 0\.0\.9; this extension needs 0\.1 or newer/);
  seen(`with an old program: "${old}"`);
  await window.changeSettings({ 'tabahead.server.path': '/bin/true' }, 'Remote');
  const other = await messageThat(window, /The server did not start/);
  seen(`with another program: "${other}"`);
  await window.changeSettings({ 'tabahead.server.path': process.env.TABAHEAD }, 'Remote');
  await window.statusIs('tabahead is idle');
  seen('with the program again it continued, without a reload');
}

// Runs the tests of `inhost/` inside the extension host, in a window of their own.
async function insideTheHost(workbench) {
  const extension = fs.readdirSync(workbench.extensions).find((name) => name.startsWith('tabahead.tabahead'));
  const window = await workbench.open({
    extensionDevelopmentPath: workbench.remote(path.join(workbench.extensions, extension)),
    extensionTestsPath: workbench.remote(path.join(__dirname, 'inhost', 'index.js')),
  });
  // The tests wait for many things in a row.
  const result = await wait(
    'the tests in the host',
    () => fs.existsSync(process.env.INHOST_RESULT) && fs.readFileSync(process.env.INHOST_RESULT, 'utf8'),
    6 * PATIENCE,
  );
  await window.shoot('inhost');
  await window.page.close();
  console.log(result);
  assert(!result.includes('FAILED'), 'the tests in the extension host failed');
}

// Reports how long the extension took to start, as the editor states it.
async function startsQuickly(workbench, window) {
  // A list is drawn only as far as it is in sight.
  const size = window.page.viewportSize();
  await window.page.setViewportSize({ ...size, height: 4_000 });
  await window.command('Developer: Show Running Extensions');
  const time = await wait('the time', () => window.page.evaluate(() => {
    const row = [...document.querySelectorAll('.runtime-extensions-editor .extension')]
      .find((row) => row.querySelector('.name')?.textContent === 'tabahead');
    return row?.querySelector('.activation-time')?.textContent;
  }));
  await window.keyboard.press('Escape');
  await window.page.setViewportSize(size);
  seen(`VS Code on the extension's start: "${time}"`);
}

// There is no old program to test with: this script answers as one would.
function oldServer(workbench) {
  const file = path.join(workbench.folder, 'old-tabahead');
  const answer = json({ jsonrpc: '2.0', id: 0, result: { capabilities: {}, serverInfo: { name: 'tabahead', version: '0.0.9' } } });
  fs.writeFileSync(file, `#!/bin/sh\nprintf 'Content-Length: ${answer.length}\\r\\n\\r\\n%s' '${answer}'\ncat >/dev/null\n`, { mode: 0o755 });
  return file;
}

const SCENARIOS = [typesAndAccepts, acceptsOnAndOn, keepsTheGhost, acceptsParts, cycles, closesBrackets, extendsThePopup, worksWithTwoCursors,
  pauses, showsFigures, choosesAModel, survivesItsServer, worksInACell, startsQuickly, insideTheHost, reportsWhatIsWrong];

process.env.INHOST_RESULT = path.join(process.env.FOLDER, 'inhost.txt');
const workbench = new Workbench(process.env.FOLDER, {
  files: FILES,
  settings: SETTINGS,
  // Without TABAHEAD, the extension uses the program in its package.
  machine: process.env.TABAHEAD ? { 'tabahead.server.path': process.env.TABAHEAD } : {},
});
inWindow(workbench, async (window) => {
  seen('the extension started the server: "tabahead is idle"');
  const only = process.env.ONLY;
  for (const scenario of SCENARIOS) {
    if (only && !only.split(',').includes(scenario.name)) continue;
    const begin = Date.now();
    await scenario(workbench, window);
    console.log(`took: ${scenario.name} ${Date.now() - begin} ms`);
  }
});
