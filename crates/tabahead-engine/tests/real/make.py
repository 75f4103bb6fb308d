#!/usr/bin/env python3
"""Makes expected.json in this folder: what llama.cpp says of a real model's file.

    python3 -m venv venv && venv/bin/pip install llama-cpp-python==0.3.36
    venv/bin/python make.py qwen2.5-coder-0.5b-instruct-q4_k_m.gguf

The file is the official one, which `cargo xtask prepare` puts into the cache folder. expected.json
holds

    texts          100 texts, each with its token ids; markers spelled in a text are plain text
    continuations  20 fill-in-the-middle prompts as token ids, each with the tokens that follow
                   greedily, and for each of these its margin: by how much its logit is over the next
                   best's. llama.cpp rounds more or less where it reads a prompt in one go or token by
                   token, by up to 1.7 on this file; the margin is the smaller of both ways, so it is
                   below zero where they differ.

A continuation ends after STEPS tokens or with the token that ends the middle.
"""

import json
import pathlib
import random
import sys

import llama_cpp
import numpy as np

HERE = pathlib.Path(__file__).parent
STEPS = 24
PREFIX, MIDDLE, SUFFIX = 151659, 151660, 151661
# Tokens that end a middle: end of text, end of turn, padding, repository name, next file.
ENDS = [151643, 151645, 151662, 151663, 151664]

# The middle of a prompt is between « and ».
SAMPLES = {
    "rust": """\
/// A jar that holds so many marbles.
pub struct Jar {
    marbles: Vec<Marble>,
    limit: usize,
}

impl Jar {
    pub fn put(&mut self, marble: Marble) -> Result<(), Marble> {
        if self.marbles.len() «>= self.limit {»
            return Err(marble);
        }
        self.marbles.push(marble);
        Ok(())
    }
}
""",
    "python": """\
import csv
from collections import defaultdict


def litres_by_month(path):
    \"\"\"Sums the rain gauge's readings, month by month.\"\"\"
    litres = defaultdict(float)
    with open(path, newline='') as file:
        for row in csv.DictReader(file):
            month = row['date'][:7]
            litres[month] += «float(row['litres'])»
    return dict(litres)
""",
    "typescript": """\
export interface Ferry {
  name: string;
  seats: number;
  departs: Date;
}

/** Those that still leave today, the earliest first. */
export function stillToday(ferries: Ferry[], now: Date): Ferry[] {
  return ferries
    .filter((ferry) => «ferry.departs > now»)
    .sort((a, b) => a.departs.getTime() - b.departs.getTime());
}
""",
    "javascript": """\
const lights = document.querySelectorAll('.lantern');

for (const [index, light] of lights.entries()) {
  light.addEventListener('click', () => {
    light.classList.«toggle('lit');»
    console.log(`lantern ${index + 1} of ${lights.length}`);
  });
}
""",
    "go": """\
package tide

import (
\t"errors"
\t"time"
)

// ErrNoTide is returned where the sea does not rise.
var ErrNoTide = errors.New("no tide")

func (t *Table) Next(after time.Time) (time.Time, error) {
\tfor _, high := range t.highs {
\t\tif high.«After(after) {»
\t\t\treturn high, nil
\t\t}
\t}
\treturn time.Time{}, ErrNoTide
}
""",
    "c": """\
#include <stdint.h>
#include <stdlib.h>

struct ring {
    uint8_t *bytes;
    size_t first, count, capacity;
};

int ring_push(struct ring *ring, uint8_t byte)
{
    if (ring->count == ring->capacity)
        return -1;
    ring->bytes[(ring->first + ring->count) % «ring->capacity] = byte;»
    ring->count++;
    return 0;
}
""",
    "cpp": """\
#include <algorithm>
#include <string>
#include <vector>

template <typename Word = std::string>
class Shelf {
public:
    void add(Word word) { words_.push_back(std::move(word)); }
    std::size_t size() const noexcept { return «words_.size();» }

private:
    std::vector<Word> words_;
};
""",
    "java": """\
package harbour;

import java.util.ArrayDeque;
import java.util.Deque;

public final class Quay {
    private final Deque<Boat> boats = new ArrayDeque<>();

    public synchronized void moor(Boat boat) {
        boats.addLast(boat);
        notifyAll();
    }

    public synchronized Boat castOff() throws InterruptedException {
        while (boats.isEmpty()) {
            «wait();»
        }
        return boats.removeFirst();
    }
}
""",
    "kotlin": """\
data class Bread(val name: String, val grams: Int, val price: Double)

fun List<Bread>.dearest(): Bread? = maxByOrNull { «it.price / it.grams» }

fun main() {
    val breads = listOf(Bread("Rye", 750, 3.2), Bread("Spelt", 500, 3.9))
    println(breads.dearest()?.name ?: "sold out")
}
""",
    "swift": """\
import Foundation

struct Stopwatch {
    private var started: Date?
    private(set) var laps: [TimeInterval] = []

    mutating func lap(at now: Date = .init()) {
        guard let started else { return }
        laps.append(«now.timeIntervalSince(started)»)
    }
}
""",
    "csharp": """\
namespace Orchard;

public sealed record Tree(string Sort, int Planted)
{
    public int Age(int year) => «year - Planted;»
}

public static class Trees
{
    public static IEnumerable<Tree> Old(this IEnumerable<Tree> trees, int year)
        => trees.Where(tree => tree.Age(year) >= 40);
}
""",
    "ruby": """\
class Hive
  attr_reader :bees

  def initialize(bees = [])
    @bees = bees
  end

  def each_worker
    return enum_for(:each_worker) unless block_given?
    @bees.select(&:worker?).each { |bee| yield «bee» }
  end
end
""",
    "php": """\
<?php
declare(strict_types=1);

final class Ledger
{
    /** @var array<string, int> */
    private array $cents = [];

    public function book(string $account, int $cents): void
    {
        $this->cents[$account] = ($this->cents[$account] ?? 0) + «$cents;»
    }
}
""",
    "lua": """\
local M = {}

--- Turns a list round.
function M.reversed(list)
  local turned = {}
  for i = #list, 1, -1 do
    turned[#turned + 1] = «list[i]»
  end
  return turned
end

return M
""",
    "haskell": """\
module Knots where

import qualified Data.Map.Strict as Map

type Knots = Map.Map String Int

tie :: String -> Knots -> Knots
tie rope = «Map.insertWith (+) rope 1»

total :: Knots -> Int
total = sum . Map.elems
""",
    "sql": """\
create table berth (
    number  integer primary key,
    boat    text references boat (name) on delete set null,
    metres  numeric(4, 1) not null check (metres > 0)
);

select b.boat, sum(b.metres) as metres
from berth b
where b.boat is not null
«group by b.boat»
order by metres desc;
""",
    "shell": """\
#!/usr/bin/env bash
set -euo pipefail

backup() {
  local from="$1" to="$2"
  for file in "$from"/*.txt; do
    [ -e "$file" ] || continue
    cp -- "$file" «"$to/$(basename "$file")"»
  done
}

backup "${1:?from}" "${2:?to}"
""",
    "html": """\
<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>Menu</title>
    <link rel="stylesheet" href="menu.css">
  </head>
  <body>
    <ul class="dishes"><li>Soup &amp; bread</li><li>Fish</li></ul>
  </body>
</html>
""",
    "css": """\
:root { --ink: #1b2a41; --paper: #fdfbf7; }

.card {
  display: grid;
  grid-template-columns: minmax(8rem, 1fr) 3fr;
  color: var(--ink);
  background: var(--paper);
}

@media (max-width: 40em) { .card > img { display: none; } }
""",
    "zig": """\
const std = @import("std");

pub fn countVowels(text: []const u8) usize {
    var count: usize = 0;
    for (text) |letter| {
        switch (letter) {
            'a', 'e', 'i', 'o', 'u' => count += 1,
            else => {},
        }
    }
    return count;
}
""",
    "elixir": """\
defmodule Kite do
  defstruct [:colour, height: 0]

  def climb(%Kite{height: height} = kite, by) when by > 0 do
    %{kite | height: height + by}
  end
end
""",
    "ocaml": """\
type shape = Circle of float | Square of float

let area = function
  | Circle radius -> Float.pi *. radius ** 2.
  | Square side -> side *. side
""",
    "r": """\
rain <- read.csv("rain.csv", stringsAsFactors = FALSE)
rain$month <- substr(rain$date, 1, 7)
means <- aggregate(litres ~ month, data = rain, FUN = mean)
plot(means$litres, type = "l", ylab = "l/m²")
""",
    "perl": """\
use strict; use warnings;
my %seen;
while (my $line = <STDIN>) {
    chomp $line;
    print "$line\\n" unless $seen{lc $line}++;
}
""",
    "assembly": """\
        .globl  sum
sum:    xorl    %eax, %eax
        testq   %rsi, %rsi
        je      .Ldone
.Lnext: addl    (%rdi), %eax
        addq    $4, %rdi
        decq    %rsi
        jne     .Lnext
.Ldone: ret
""",
    "toml": """\
[package]
name = "lantern"
version = "0.3.1"
edition = "2024"

[dependencies]
serde = { version = "1", features = ["derive"] }
""",
    "yaml": """\
services:
  web:
    image: "nginx:1.27"
    ports: ["8080:80"]
    environment:
      - LOG_LEVEL=warn
    depends_on: [cache]
""",
    "json": """\
{"name": "lantern", "lit": true, "lumens": [400, 800.5, 1.2e3], "note": null, "path": "C:\\\\lamps\\n"}
""",
    "markdown": """\
# Tides

1. **High** water: see `table.next()`.
2. _Low_ water -- [how it is computed](docs/low.md#sum).

| port | metres |
|------|-------:|
| Kiel |    0.1 |
""",
    "latex": """\
\\section{Waves}
The speed of a wave in water of depth $h$ is
\\begin{equation}\\label{eq:speed}
  c = \\sqrt{\\frac{g\\lambda}{2\\pi} \\tanh\\frac{2\\pi h}{\\lambda}}.
\\end{equation}
""",
    "makefile": """\
CFLAGS ?= -O2 -Wall
objects := $(patsubst %.c,%.o,$(wildcard *.c))

tide: $(objects)
\t$(CC) $(LDFLAGS) -o $@ $^
""",
    "diff": """\
--- a/jar.rs
+++ b/jar.rs
@@ -8,3 +8,4 @@ impl Jar {
-        self.marbles.push(marble);
+        self.marbles.push(marble);
+        self.count += 1;
         Ok(())
""",
}

# Texts that are easily cut or merged in the wrong way.
HARD = [
    " ",
    "  ",
    "\n",
    "\r\n",
    "\t",
    "a",
    " a",
    "\n\n\n",
    "    \n\n\t\tindented  twice   over \n  ",
    "x" + " " * 100 + "y",
    "\t" * 17 + "}" + "\n" * 9 + "    " * 6 + "end",
    " \n \n  \n   \n\t\n \t\n\t \n",
    "one\r\ntwo\r\n\r\n\r\n  three\r\nfour\rfive\n\rsix",
    "trailing   \nblanks \t \n",
    "0 1 12 123 1234 12345 123456 1234567 12345678901234567890",
    "3.14159 1_000_000 0xDEADBEEF 0b1010 1e-9 .5 5. 1,000,000.00 12:34:56 2026-11-30T23:59:60Z",
    "v1.2.3-rc.4+build.5 192.168.0.1:8080 #ff00aa 50% $1,234.56",
    "٠١٢٣ १२३ ４５６ Ⅷ ½ ² ₃ ①",
    "it's don't we'll I'M you'RE he'D they've 'tis ''s 's's '\u017f",
    "naïve café übergroß Ærøskøbing Łódź İstanbul ǅ ﬁ",
    "e\u0301 o\u0308 n\u0303 a\u0327\u0301 \u1e69 s\u0323\u0307",
    "日本語のテキスト、漢字とひらがなとカタカナ。中文文本，没有空格。한국어 문장입니다.",
    "مرحبا بالعالم שלום עולם नमस्ते दुनिया สวัสดีชาวโลก กำ ಕನ್ನಡ தமிழ்",
    "Привет, мир! Γειά σου Κόσμε. Բարեւ աշխարհ გამარჯობა",
    "🎉🎉 🦀 👩‍💻 👨‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 ✋🏽 1️⃣ ™ © ♥\ufe0f",
    "\u00a0nbsp\u2003em\u2028line\u2029paragraph\u0085next\u3000wide\u200bzero\ufeffbom\u2060",
    "\u0000\u0001\u0007\b\u000b\f\u001b[31mred\u001b[0m\u007f",
    "𝒳 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐍈 𠜎 \U000e0041 \uffff \ue000",
    "<|fim_prefix|>before<|fim_suffix|>after<|fim_middle|>between",
    "if (text == \"<|endoftext|>\" || text == '<|im_end|>') stop(); // <|im_start|>user",
    "<|repo_name|>lantern\n<|file_sep|>jar.rs\n<|fim_pad|><|fim_pad|> <|file_sep|",
    "<s>[INST] </s> <unk> <pad> <PRE> <MID> <EOT> [PAD151936]",
    "a.b(c)[d]{e};;;\n\n\n    return !x && *y != 0;  \n}",
    "->=>::<>...==!=<=>=&&||<<>>**//+=-=?:??!!@#$%^&*()_+{}|\\~`",
    "camelCaseWord PascalCaseWord snake_case_word SCREAMING_SNAKE kebab-case-word word2vec x86_64",
    "https://example.org/a/b?c=d&e=%20f#g user.name+tag@example.org /usr/local/bin C:\\Users\\me",
    "\"\\\"quoted\\\"\" '\\'' `back` \\n \\t \\u00e9 \\x41 \\\\\\\\",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "aGVsbG8gd29ybGQsIHRoaXMgaXMgYmFzZTY0IGFuZCBub3QgYSB3b3Jk 9f86d081884c7d659a2feaa0c55ad015",
    "==========\n----------\n**********\n//////////\n##########\n__________",
]


def parts(sample):
    """Returns the prefix, the middle and the suffix of a sample."""
    before, _, rest = sample.partition("«")
    middle, _, after = rest.partition("»")
    return before, middle, after


def plain(sample):
    """Returns a sample without the marks around its middle."""
    return "".join(parts(sample))


def all_texts():
    rng = random.Random(23)
    samples = {name: plain(sample) for name, sample in SAMPLES.items()}
    texts = list(samples.values()) + HARD
    # Long lines: minified code, and a line of data.
    texts.append(" ".join(samples["javascript"].split()) * 3)
    texts.append("var d=[" + ",".join(str(rng.randrange(10 ** rng.randrange(1, 7))) for _ in range(150)) + "];")
    # The same texts with other line ends, indentation, letters and trailing blanks.
    texts.append(samples["python"].replace("\n", "\r\n"))
    texts.append(samples["go"].replace("\n", "\r\n"))
    texts.append(samples["java"].replace("    ", "\t"))
    texts.append(samples["lua"].replace("  ", "        "))
    texts.append(samples["c"].upper())
    texts.append("".join(line + " " * rng.randrange(4) + "\n" for line in samples["rust"].split("\n")))
    # Pieces of all of them, cut anywhere and joined.
    letters = [*samples.values(), *HARD]
    while len(texts) < 100:
        text = ""
        for _ in range(rng.randrange(3, 9)):
            source = rng.choice(letters)
            start = rng.randrange(len(source))
            text += source[start:start + rng.randrange(1, 40)]
        texts.append(text)
    assert len(texts) == 100 and len(set(texts)) == 100
    return texts


def all_prompts(tokenize):
    """Yields prefix-first prompts: one for each sample with a middle, and some more."""
    prompts = []
    for sample in SAMPLES.values():
        before, middle, after = parts(sample)
        if middle:
            prompts.append((before, after))
    # After a whole line at the end of a file, and within a line of a longer file.
    prompts.append((plain(SAMPLES["rust"]) + "\n#[cfg(test)]\nmod tests {\n    use super::*;\n\n    #[test]\n", ""))
    joined = plain(SAMPLES["typescript"]) + "\n" + plain(SAMPLES["javascript"])
    prompts.append((joined[:600], joined[640:]))
    # A prompt whose middle the model ends soon.
    prompts.append((
        "import os\n\n\ndef main():\n    path = os.path.join(\"a\", ",
        ")\n    print(path)\n\n\nif __name__ == \"__main__\":\n    main()\n"))
    assert len(prompts) == 20, len(prompts)
    for before, after in prompts:
        yield [PREFIX, *tokenize(before), SUFFIX, *tokenize(after), MIDDLE]


class Reference:
    """llama.cpp with the model's file loaded."""

    def __init__(self, file):
        self.llama = llama_cpp.Llama(file, n_ctx=2048, n_batch=512, n_threads=2, verbose=False)

    def tokenize(self, text):
        return self.llama.tokenize(text.encode(), add_bos=False, special=False)

    def logits(self):
        return np.ctypeslib.as_array(llama_cpp.llama_get_logits(self.llama.ctx), (self.llama.n_vocab(),))

    def goes_on(self, prompt):
        """Returns the tokens that follow greedily, and the margin of each."""
        self.llama.reset()
        self.llama.eval(prompt)
        tokens, margins = [], []
        while len(tokens) < STEPS and (not tokens or tokens[-1] not in ENDS):
            if tokens:
                self.llama.eval(tokens[-1:])
            tokens.append(int(np.argmax(self.logits())))
            margins.append(self.margin(tokens[-1]))
        # The same again, with the prompt read token by token.
        self.llama.reset()
        for token in prompt:
            self.llama.eval([token])
        for step, token in enumerate(tokens):
            margins[step] = min(margins[step], self.margin(token))
            self.llama.eval([token])
        return tokens, [round(margin, 3) for margin in margins]

    def margin(self, token):
        logits = self.logits().copy()
        own, logits[token] = logits[token], -np.inf
        return float(own - logits.max())


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    reference = Reference(sys.argv[1])
    texts = [[text, reference.tokenize(text)] for text in all_texts()]
    continuations = []
    for prompt in all_prompts(reference.tokenize):
        tokens, margins = reference.goes_on(prompt)
        continuations.append({"prompt": prompt, "tokens": tokens, "margins": margins})
    lines = lambda entries: ",\n".join(json.dumps(entry, ensure_ascii=False, separators=(",", ":")) for entry in entries)
    (HERE / "expected.json").write_text(
        f'{{"texts":[\n{lines(texts)}\n],"continuations":[\n{lines(continuations)}\n]}}\n', encoding="utf-8")


main()
