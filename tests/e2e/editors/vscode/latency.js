// Measures, in the page, how long it takes from Tab to the next ghost text on the screen, with and
// without computing ahead, alternating in one run. Also measures when VS Code asks its providers,
// with a provider that only notes it (`probe/`).
//
//     node latency.js
//
// needs the environment of driver.js, and a release build as TABAHEAD. See
// editors/vscode/README.md.

const assert = require('assert');
const fs = require('fs');
const path = require('path');
const { pause, wait } = require('./wait.js');
const { Workbench, inWindow } = require('./workbench.js');

const ACCEPTS = Number(process.env.ACCEPTS ?? 50);
// Accepts per turn: this many with computing ahead, then as many without, and again.
const ROUND = 10;
// Milliseconds that users take to read a suggestion (the median of recorded sessions).
const READING = 740;

const WORDS = ['number', 'customer', 'street', 'city', 'country', 'currency', 'discount', 'created', 'shipped', 'weight',
  'carrier', 'invoice', 'reference', 'warehouse', 'priority', 'comment', 'voucher', 'channel', 'language', 'region'];
const FIELDS = WORDS.flatMap((word) => ['first', 'second', 'third', 'fourth', 'fifth', 'next', 'last'].map((which) => `${which}_${word}`));
const CLASS = (name, lines) => `class ${name}:\n    def __init__(self, row):\n${lines.join('\n')}\n`;
const LINES = FIELDS.map((field) => `        self.${field} = row["${field}"]`);
const FILE = `${CLASS('Order', LINES)}\n\n${CLASS('Invoice', LINES.slice(0, 2))}`.trimEnd();

const SETTINGS = {
  'editor.quickSuggestions': { other: 'off', comments: 'off', strings: 'off' },
  'editor.wordBasedSuggestions': 'off',
  'extensions.autoCheckUpdates': false,
  'workbench.editor.enablePreview': false,
  'workbench.startupEditor': 'none',
  'security.workspace.trust.enabled': false,
  'chat.disableAIFeatures': true,
};

// Runs in the page. Notes when Tab is pressed, and the first frame with different ghost text.
function watch() {
  const ghost = () => [...document.querySelectorAll('.ghost-text-decoration, .suggest-preview-text .view-line')]
    .map((element) => element.textContent).join('\n');
  addEventListener('keydown', (event) => {
    if (event.key !== 'Tab') return;
    const before = ghost();
    const pressed = performance.now();
    window.measured = undefined;
    const frame = () => {
      const now = ghost();
      if (now !== '' && now !== before) {
        const painted = performance.now();
        window.measured = { pressed: performance.timeOrigin + pressed, milliseconds: painted - pressed };
      } else if (performance.now() - pressed < 5_000) {
        requestAnimationFrame(frame);
      }
    };
    requestAnimationFrame(frame);
  }, true);
}

function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}

const line = (name, values) =>
  `${name.padEnd(44)} n ${String(values.length).padStart(3)}   p50 ${quantile(values, 0.5).toFixed(1).padStart(6)} ms   p90 ${quantile(values, 0.9).toFixed(1).padStart(6)} ms`;

async function measure(window, speculates, times, asked) {
  await window.changeSettings({ 'tabahead.speculation.enabled': speculates });
  await window.keyboard.press('Control+1');
  await window.keyboard.press('Control+End');
  await window.keyboard.press('Alt+Backslash');
  await window.shown();
  for (let i = 0; i <= ROUND; i += 1) {
    await pause(READING);
    await window.type('\t');
    const { pressed, milliseconds } = await wait('the next ghost', () => window.page.evaluate(() => window.measured));
    // The first accept follows a suggestion that was asked for explicitly.
    if (i === 0) continue;
    times.push(milliseconds);
    const { changed, askedAt } = timesAfter(pressed);
    asked.afterTab.push(askedAt - pressed);
    asked.afterAccept.push(askedAt - changed);
  }
}

// Types letters one after the other, as users do, in a file of prose.
async function measureTyping(window, asked) {
  await window.openFile('prose.txt', 1, 1);
  for (let i = 0; i < ACCEPTS; i += 1) {
    const pressed = Date.now();
    await window.type('abcdefgh '[i % 9]);
    await pause(200);
    const { changed, askedAt } = timesAfter(pressed);
    asked.afterLetter.push(askedAt - changed);
  }
}

// Returns the times of the first change after `moment` and of the first request after that change,
// as noted by the probe.
function timesAfter(moment) {
  const events = fs.readFileSync(process.env.PROBE, 'utf8').split('\n').filter(Boolean).map((line) => line.split(' '));
  const first = (what, from) => Number(events.find(([event, time]) => event === what && Number(time) >= from)?.[1]);
  const changed = first('changed', Math.floor(moment));
  return { changed, askedAt: first('asked', changed) };
}

process.env.PROBE = path.join(process.env.FOLDER, 'probe.txt');
fs.writeFileSync(process.env.PROBE, '');
const workbench = new Workbench(process.env.FOLDER, {
  files: { 'orders.py': FILE, 'prose.txt': '' },
  settings: SETTINGS,
  machine: { 'tabahead.server.path': process.env.TABAHEAD },
});
fs.cpSync(path.join(__dirname, 'probe'), path.join(workbench.extensions, 'tabahead.probe-0.0.1'), { recursive: true });
inWindow(workbench, async (window) => {
  await window.openFile('orders.py', FILE.split('\n').length, FILE.split('\n').at(-1).length + 1);
  const times = { true: [], false: [] };
  const asked = { afterTab: [], afterAccept: [], afterLetter: [] };
  while (times.true.length < ACCEPTS) {
    for (const speculates of [true, false]) {
      await measure(window, speculates, times[speculates], asked);
      process.stderr.write(`\r${times.true.length + times.false.length} of ${2 * ACCEPTS} accepts`);
    }
  }
  process.stderr.write('\n');
  await measureTyping(window, asked);
  const figures = workbench.stats();
  assert(figures.hits.speculated >= ACCEPTS, JSON.stringify(figures.hits));
  console.log(line('Tab to the next ghost, computing ahead', times.true));
  console.log(line('Tab to the next ghost, without', times.false));
  console.log(line('Tab to VS Code\'s request', asked.afterTab));
  console.log(line('its wait between an accepted text and asking', asked.afterAccept));
  console.log(line('its wait between a letter and asking', asked.afterLetter));
  console.log(`answers of the server: ${JSON.stringify(figures.latency)}`);
}, watch);
