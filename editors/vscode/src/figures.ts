// The server's figures: asked for behind answers, never by a clock, and the time saved today, which outlives servers.

import type { Ctx } from './ctx';
import type { Stats } from './protocol';

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

  constructor(private readonly ctx: Ctx) {}

  /** Something was answered. */
  touch(): void {
    if (Date.now() - this.asked < PERIOD) return;
    this.asked = Date.now();
    void this.refresh();
  }

  /** Asks for the figures now, and draws them. */
  async refresh(): Promise<Stats | undefined> {
    const figures = await this.ctx.server?.stats();
    if (figures) this.ctx.status.show(figures, await this.add(figures));
    return figures;
  }

  /** Adds what is new to today's sum. */
  private async add({ pid, saved_ms }: Stats): Promise<number> {
    const isSame = this.counted.pid === pid && saved_ms >= this.counted.milliseconds;
    const more = saved_ms - (isSame ? this.counted.milliseconds : 0);
    this.counted = { pid, milliseconds: saved_ms };
    const { globalState } = this.ctx.context;
    const day = new Date().toDateString();
    const before = globalState.get<Saved>(SAVED);
    const milliseconds = (before?.day === day ? before.milliseconds : 0) + more;
    if (more > 0) await globalState.update(SAVED, { day, milliseconds } satisfies Saved);
    return milliseconds;
  }
}
