// What llama.cpp makes of a model and of texts: their token ids, and for the first texts the most probable next
// tokens. `verify.py --llama` compares both with the tokenizer and the checkpoint.
//
//     npm install --ignore-scripts node-llama-cpp@3.22.1
//     node llama.mjs MODEL.gguf TEXTS.jsonl OUT.jsonl

import fs from 'node:fs';
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';

const WITH_NEXT = 40;
const LONGEST = 400;
const BEST = 10;

const [modelPath, texts, out] = process.argv.slice(2);
const llama = await getLlama({ build: 'never', gpu: false, logLevel: LlamaLogLevel.error });
const model = await llama.loadModel({ modelPath });
const context = await model.createContext({ contextSize: 1024 });
const sequence = context.getSequence();
const lines = [];
for (const line of fs.readFileSync(texts, 'utf8').split('\n').filter(Boolean)) {
  const ids = model.tokenize(JSON.parse(line), false);
  const known = { ids };
  if (lines.length < WITH_NEXT && ids.length <= LONGEST) {
    await sequence.clearHistory();
    const last = [ids.at(-1), { generateNext: { probabilities: true } }];
    const evaluated = await sequence.controlledEvaluate([...ids.slice(0, -1), last]);
    known.next = [...evaluated.at(-1).next.probabilities].slice(0, BEST);
  }
  lines.push(JSON.stringify(known));
}
fs.writeFileSync(out, lines.join('\n') + '\n');
console.log(`${lines.length} texts`);
process.exit(0);
