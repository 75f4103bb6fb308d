// The server's figures: requested after answers, never by a timer; and the time saved today, which
// outlives servers.

import type { Memento } from 'vscode';
import type { Stats } from './protocol';
import type { StatusBar } from './status';

/** Maximum age of the figures while the user types, in milliseconds. */
const PERIOD = 5_000;
const SAVED = 'saved';

interface Saved {
  day: string;
  milliseconds: number;
}

export class Figures {
  private asked = 0;
  /** The part of the running server's sum that is already in today's sum. */
  private counted = { pid: 0, milliseconds: 0 };

  /** `memory` outlives windows; `stats` requests the figures of the running server. */
  constructor(
    private readonly status: StatusBar,
    private readonly memory: Memento,
    private readonly stats: () => Promise<Stats | undefined>,
  ) {}

  /** Handles an answer: refreshes the figures if they are too old. */
  touch(): void {
    if (Date.now() - this.asked < PERIOD) return;
    this.asked = Date.now();
    void this.refresh();
  }

  /** Requests the figures now, and draws them. */
  async refresh(): Promise<Stats | undefined> {
    const figures = await this.stats();
    if (figures) this.status.show(figures, await this.add(figures));
    return figures;
  }

  /** Adds the difference since the last call to today's sum, and returns the sum. */
  private async add({ pid, saved_ms }: Stats): Promise<number> {
    const isSame = this.counted.pid === pid && saved_ms >= this.counted.milliseconds;
    const more = saved_ms - (isSame ? this.counted.milliseconds : 0);
    this.counted = { pid, milliseconds: saved_ms };
    const day = new Date().toDateString();
    const before = this.memory.get<Saved>(SAVED);
    const milliseconds = (before?.day === day ? before.milliseconds : 0) + more;
    if (more > 0) await this.memory.update(SAVED, { day, milliseconds } satisfies Saved);
    return milliseconds;
  }
}
