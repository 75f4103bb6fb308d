#!/bin/bash
# The whole recipe: from clones of the repositories to a checked and measured GGUF file. Each step is skipped when what it
# makes is there, and the training goes on where it was stopped, so the same command may be given again at any time.
#
#     ./recipe.sh MIRROR OUT [MINUTES [OPTIONS OF train.py ...]]
#
# MIRROR holds <owner>+<name>/repo, bare clones with the commits of corpus.json; OUT is a folder for everything made.
# On from a model of ours, with its tokenizer: --init FILE.gguf as the first option.
# On a GPU: ./recipe.sh MIRROR OUT 20 --size 28m --batch 128 --micro 32 (LENGTH=2048 packs rows for its context)
set -euo pipefail
mirror=$(realpath "$1") minutes=${3:-100}
mkdir -p "$2" && out=$(realpath "$2")
options=("${@:4}") init=
# Another folder is entered below.
if [ "${options[0]:-}" = --init ]; then
  init=$(realpath "${options[1]}") && options[1]=$init
fi
cd "$(dirname "${BASH_SOURCE[0]}")"
density=${DENSITY:-2400} small=${SMALL:-0.75} length=${LENGTH:-1024}

made() {
  local file=$1
  shift
  [ -e "$file" ] || { echo "making $file" >&2 && "$@"; }
}
corpus() { python corpus.py --mirror "$mirror" --record corpus.json --out "$out/corpus.part" && mv "$out/corpus.part" "$out/corpus"; }
tokenizer() {
  if [ "$init" ]; then
    python warm.py tokenizer --gguf "$init" --out "$out/tokenizer.json"
  else
    python tokenizer.py --data "$out/corpus/train.jsonl" --out "$out/tokenizer.json"
  fi
}
prompts() { cargo xtask prompts "$@" >"$out/rows.part"; }
rows() { prompts "$out/corpus/train.jsonl" --density "$density" --small "$small" && mv "$out/rows.part" "$out/rows.jsonl"; }
copied() { prompts "$out/corpus/fitted.jsonl" --density 3000 --small 0 --copy 65536 --open-files 3 && mv "$out/rows.part" "$out/copied.jsonl"; }
shards() {
  python pack.py --tokenizer "$out/tokenizer.json" --rows "$out/rows.jsonl" --files "$out/corpus/train.jsonl" \
    --length "$length" --out "$out/shards.part" && mv "$out/shards.part" "$out/shards"
}
places() { python evaluate.py places --files "$out/corpus/heldout.jsonl" --out "$out/places.part" "${@:2}" && mv "$out/places.part" "$out/$1.jsonl"; }
evaluate() {
  cargo run --release --bin tabahead -- eval "$out/$1.jsonl" --model "$out/run/mini.gguf" --min-log-prob -100 \
    --json >"$out/eval.part" && mv "$out/eval.part" "$out/eval-$1.json"
}

made "$out/corpus" corpus
made "$out/tokenizer.json" tokenizer
made "$out/rows.jsonl" rows
made "$out/copied.jsonl" copied
made "$out/shards" shards
made "$out/places.jsonl" places places
made "$out/next-line.jsonl" places next-line --kind next-line
made "$out/open-files.jsonl" places open-files --open-files 3
python train.py --shards "$out/shards" --tokenizer "$out/tokenizer.json" --out "$out/run" --minutes "$minutes" "${options[@]}"
python verify.py --checkpoint "$out/run/last.pt" --tokenizer "$out/tokenizer.json" --gguf "$out/run/mini.gguf"
if ! [ -e "$out/copying.json" ]; then
  python copying.py --rows "$out/copied.jsonl" --gguf "$out/run/mini.gguf" >"$out/copying.part" && mv "$out/copying.part" "$out/copying.json"
  echo "put the numbers of $out/copying.json into crates/tabahead-engine/src/decoding/copying.rs, then give this command again" >&2
  exit
fi
made "$out/eval-places.json" evaluate places
python export.py --tokenizer "$out/tokenizer.json" --checkpoint "$out/run/last.pt" --eval "$out/eval-places.json" \
  --out "$out/mini.gguf"
made "$out/eval-next-line.json" evaluate next-line
made "$out/eval-open-files.json" evaluate open-files
python evaluate.py overlap --files "$out/places.jsonl" --rows "$out/corpus/train.jsonl"
python evaluate.py loss --files "$out/corpus/heldout.jsonl" --tokenizer "$out/tokenizer.json" --checkpoint "$out/run/last.pt"
python curves.py precision --out "$out/precision.png" --evals "mini=$out/eval-places.json"
