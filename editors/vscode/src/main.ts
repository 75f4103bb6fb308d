// Where the extension starts. It starts the server, draws how it is, and says what the editor's own client does
// not. It keeps no suggestions, waits for nothing and decides nothing: that is the server's (docs/protocol.md).
//
// Read on in ctx.ts (what belongs to one window), bootstrap.ts (which program), client.ts (what is said to it).

import { type ExtensionContext } from 'vscode';
import { registerCommands } from './commands';
import { Ctx } from './ctx';

let ctx: Ctx | undefined;

export function activate(context: ExtensionContext): void {
  ctx = new Ctx(context);
  registerCommands(ctx);
  // Behind the activation, which the editor counts and other extensions wait for.
  setImmediate(() => void ctx?.start());
}

export async function deactivate(): Promise<void> {
  await ctx?.stop();
}
