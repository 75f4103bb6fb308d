// The server's figures: asked for behind answers, never by a clock, and the time saved today, which outlives servers.

import { type ExtensionContext } from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';
import { stats, type Stats } from './protocol';
import type { StatusBar } from './status';

/** Figures are not older than this where people type. */
const PERIOD = 5_000;
const SAVED = 'saved';

interface Saved {
  day: string;
  milliseconds: number;
}

export class Figures {
  private asked = 0;
  /** What of the running server's sum is in today's already. */
  private counted = { pid: 0, milliseconds: 0 };

  constructor(
    private readonly context: ExtensionContext,
    private readonly status: StatusBar,
    private readonly client: () => LanguageClient | undefined,
  ) {}

  /** Something was answered. */
  touch(): void {
    if (Date.now() - this.asked < PERIOD) return;
    this.asked = Date.now();
    void this.refresh();
  }

  /** Asks for the figures now, and draws them. */
  async refresh(): Promise<Stats | undefined> {
    const client = this.client();
    if (!client?.isRunning()) return undefined;
    const figures = await client.sendRequest(stats).catch(() => undefined);
    if (figures) this.status.show(figures, await this.add(figures));
    return figures;
  }

  /** Adds what is new to today's sum. */
  private async add({ pid, saved_ms }: Stats): Promise<number> {
    const isSame = this.counted.pid === pid && saved_ms >= this.counted.milliseconds;
    const more = saved_ms - (isSame ? this.counted.milliseconds : 0);
    this.counted = { pid, milliseconds: saved_ms };
    const day = new Date().toDateString();
    const before = this.context.globalState.get<Saved>(SAVED);
    const milliseconds = (before?.day === day ? before.milliseconds : 0) + more;
    if (more > 0) await this.context.globalState.update(SAVED, { day, milliseconds } satisfies Saved);
    return milliseconds;
  }
}

/** A time as people say it. */
export function savedToday(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  return seconds < 90 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds / 60)} min`;
}
