// Waits for a condition, for code that runs beside the editor and for code that runs in it.

// Limit in milliseconds. It only turns a hang into a failure.
const PATIENCE = 30_000;

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function wait(what, condition, patience = PATIENCE) {
  for (const begin = Date.now(); ; await pause(25)) {
    const value = await condition();
    if (value) return value;
    if (Date.now() - begin > patience) throw new Error(`waited in vain for ${what}`);
  }
}

module.exports = { PATIENCE, pause, wait };
