// The item in the status bar: the server's state, and its figures in the tooltip.

import {
  type Disposable,
  MarkdownString,
  StatusBarAlignment,
  type StatusBarItem,
  ThemeColor,
  window,
} from 'vscode';
import type { Stats, Status } from './protocol';

/** Milliseconds of waiting below which nothing is drawn: an icon that flickers at each key
 * distracts. */
const UNNOTICED = 150;

/** Returns a model's name: its id without the hash at the end, which distinguishes files of the
 * same name. */
export function nameOf(id: string): string {
  return id.replace(/-[0-9a-f]{16}$/, '');
}

export class StatusBar implements Disposable {
  private readonly item: StatusBarItem;
  private status: Status = { kind: 'Inactive', busy: true, message: 'starting' };
  private figures: { stats: Stats; saved: number } | undefined;
  private waiting = 0;
  private visible = false;

  constructor() {
    this.item = window.createStatusBarItem('tabahead.status', StatusBarAlignment.Right, 100);
    this.item.name = 'tabahead';
    this.item.command = 'tabahead.menu';
    this.draw();
    this.item.show();
  }

  dispose(): void {
    this.item.dispose();
  }

  /** Sets and draws the server's status. */
  set(status: Status): void {
    this.status = status;
    this.draw();
  }

  /** Draws that there is no server to ask. */
  fail(message: string): void {
    this.set({ kind: 'Error', busy: false, message });
  }

  /** Draws figures. */
  show(stats: Stats, saved: number): void {
    this.figures = { stats, saved };
    this.draw();
  }

  /** Draws that an answer is awaited, for as long as `answer` takes. */
  async showWaiting<T>(answer: () => Promise<T>): Promise<T> {
    this.waiting += 1;
    const noticed = setTimeout(() => {
      this.visible = true;
      this.draw();
    }, UNNOTICED);
    try {
      return await answer();
    } finally {
      this.waiting -= 1;
      clearTimeout(noticed);
      if (this.waiting === 0 && this.visible) {
        this.visible = false;
        this.draw();
      }
    }
  }

  /** The state that the item shows. */
  get state(): 'idle' | 'thinking' | 'paused' | 'error' {
    if (this.status.kind === 'Error') return 'error';
    if (this.status.busy || this.visible) return 'thinking';
    return this.status.kind === 'Inactive' ? 'paused' : 'idle';
  }

  /** The state in one line, with the reason. */
  get summary(): string {
    const { busy, message } = this.status;
    if (busy) return `tabahead is ${message}`;
    const state = this.state === 'error' ? 'not working' : this.state;
    return `tabahead is ${state}${message === 'ready' ? '' : `: ${message}`}`;
  }

  private draw(): void {
    const { state, status } = this;
    const icon = { idle: 'sparkle', thinking: 'loading~spin', paused: 'debug-pause', error: 'warning' }[
      state
    ];
    // Only temporary states are spelled out beside the icon; the rest is in the tooltip.
    const words = status.busy ? ` ${status.message}` : '';
    this.item.text = `$(${icon}) tabahead${words}`;
    this.item.backgroundColor =
      state === 'error' ? new ThemeColor('statusBarItem.warningBackground') : undefined;
    this.item.accessibilityInformation = { label: this.summary };
    this.item.tooltip = this.tooltip();
  }

  private tooltip(): MarkdownString {
    const text = new MarkdownString();
    text.appendText(this.summary);
    if (this.figures) {
      const { stats } = this.figures;
      const { model, tokens } = stats;
      const lines = [
        `model: ${model.id === undefined ? model.state : nameOf(model.id)}`,
        `answered at once: ${hitRate(stats)}`,
        `waiting saved today: ${savedToday(this.figures.saved)}`,
        `speed: ${speed(tokens.per_second)}`,
      ];
      for (const line of lines) text.appendMarkdown('\n\n').appendText(line);
    }
    return text;
  }
}

/** Returns the share of answers that were available before they were requested. */
function hitRate({ hits, misses }: Stats): string {
  const known = hits.exact + hits.typed_through + hits.speculated;
  const all = known + hits.joined + misses;
  return all === 0 ? 'nothing asked yet' : `${Math.round((100 * known) / all)} % of ${all}`;
}

function speed(tokensPerSecond: number | null): string {
  return tokensPerSecond === null ? 'not measured yet' : `${Math.round(tokensPerSecond)} tokens/s`;
}

/** Returns a time in readable form. */
function savedToday(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  return seconds < 90 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds / 60)} min`;
}
