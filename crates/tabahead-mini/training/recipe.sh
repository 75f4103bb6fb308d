#!/bin/bash
# The whole recipe: from clones of the repositories to a checked GGUF file. Each step is skipped when what it makes is
# there, and the training goes on where it was stopped, so the same command may be given again at any time.
#
#     ./recipe.sh MIRROR OUT [MINUTES]
#
# MIRROR holds <owner>+<name>/repo, bare clones with the commits of corpus.json; OUT is a folder for everything made.
set -euo pipefail
mirror=$(realpath "$1") minutes=${3:-100}
mkdir -p "$2" && out=$(realpath "$2")
cd "$(dirname "${BASH_SOURCE[0]}")"

made() {
  local file=$1
  shift
  [ -e "$file" ] || { echo "making $file" >&2 && "$@"; }
}
corpus() { python corpus.py --mirror "$mirror" --record corpus.json --out "$out/corpus.part" && mv "$out/corpus.part" "$out/corpus"; }
tokenizer() { python tokenizer.py --data "$out/corpus/train.jsonl" --out "$out/tokenizer.json"; }
rows() { cargo xtask prompts "$out/corpus/train.jsonl" --density 550 >"$out/rows.part" && mv "$out/rows.part" "$out/rows.jsonl"; }
shards() {
  python pack.py --tokenizer "$out/tokenizer.json" --rows "$out/rows.jsonl" --files "$out/corpus/train.jsonl" \
    --out "$out/shards.part" && mv "$out/shards.part" "$out/shards"
}
places() { python evaluate.py places --files "$out/corpus/heldout.jsonl" --out "$out/places.jsonl"; }

made "$out/corpus" corpus
made "$out/tokenizer.json" tokenizer
made "$out/rows.jsonl" rows
made "$out/shards" shards
made "$out/places.jsonl" places
python train.py --shards "$out/shards" --tokenizer "$out/tokenizer.json" --out "$out/run" --minutes "$minutes"
python verify.py --checkpoint "$out/run/last.pt" --tokenizer "$out/tokenizer.json" --gguf "$out/run/mini.gguf"
python evaluate.py loss --files "$out/corpus/heldout.jsonl" --tokenizer "$out/tokenizer.json" --checkpoint "$out/run/last.pt"
echo "tabahead eval $out/places.jsonl --model $out/run/mini.gguf says how good it is"
