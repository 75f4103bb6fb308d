// Applies edit scripts to the reference document. Reads one JSON script per line from standard
// input and writes one JSON result per line: the text after each version, and how the last text
// maps positions and offsets.
const { TextDocument } = require('vscode-languageserver-textdocument');
const lines = require('fs').readFileSync(0, 'utf8').split('\n').filter((line) => line !== '');

// Applies one change at a time. The reference has a bug: after a change that begins after the last
// line, its text is right but its table of lines has holes, and positions become NaN. The document
// is then created again from that text.
function update(document, changes, version) {
  for (const change of changes) {
    const lines = document.lineCount;
    const isBeyond = change.range && Math.min(change.range.start.line, change.range.end.line) >= lines;
    document = TextDocument.update(document, [change], version);
    if (isBeyond) {
      document = TextDocument.create(document.uri, document.languageId, version, document.getText());
    }
  }
  return document;
}

const results = lines.map((line) => {
  const script = JSON.parse(line);
  let document = TextDocument.create('file:///reference', 'text', 0, script.text);
  const texts = script.versions.map((changes, index) => {
    document = update(document, changes, index + 1);
    return document.getText();
  });
  return JSON.stringify({
    texts,
    offsets: script.positions.map((position) => document.offsetAt(position)),
    positions: script.offsets.map((offset) => document.positionAt(offset)),
    lines: document.lineCount,
  });
});
process.stdout.write(results.join('\n') + '\n');
