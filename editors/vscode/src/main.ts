// Entry point of the extension. It starts the server, draws the server's state, and sends what the
// editor's own client does not. It keeps no suggestions, waits for nothing and decides nothing:
// that is the server's job (docs/protocol.md).
//
// Read on in ctx.ts (the state of one window), bootstrap.ts (which program), client.ts (the
// messages).

import { type ExtensionContext } from 'vscode';
import { registerCommands } from './commands';
import { Ctx } from './ctx';

let ctx: Ctx | undefined;

export function activate(context: ExtensionContext): void {
  ctx = new Ctx(context);
  registerCommands(ctx);
  // After the activation, whose time the editor measures and for which other extensions wait.
  setImmediate(() => void ctx?.start());
}

export async function deactivate(): Promise<void> {
  await ctx?.stop();
}
