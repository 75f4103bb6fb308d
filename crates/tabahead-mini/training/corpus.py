"""Step 1: selects source files from bare clones of public repositories.

Reads with `git ls-tree` and `git cat-file --batch` only; nothing that it reads is ever run.
Writes `train.jsonl`, `heldout.jsonl` and `fitted.jsonl` (rows {"repo","path","language","text"})
and `corpus.json`, the record of repositories, commits, licences and bytes that the model card
prints.

    python corpus.py --mirror DIR --out DIR      where DIR/<owner>+<name>/repo is a git directory
"""

import argparse
import collections
import hashlib
import json
import os
import random
import re
import subprocess
import sys

# Roughly by main language; files of any listed language are taken from every repository.
TRAIN = """
BurntSushi/ripgrep tokio-rs/tokio serde-rs/serde clap-rs/clap sharkdp/bat sharkdp/fd huggingface/candle
rust-lang/rust-analyzer rayon-rs/rayon hyperium/hyper nushell/nushell bevyengine/bevy astral-sh/uv
dtolnay/syn rust-lang/cargo alacritty/alacritty starship/starship launchbadge/sqlx tokio-rs/tracing actix/actix-web
seanmonstar/reqwest ratatui/ratatui rustls/rustls emilk/egui crossbeam-rs/crossbeam image-rs/image chronotope/chrono
TheAlgorithms/Rust
pallets/flask psf/requests encode/httpx fastapi/fastapi pydantic/pydantic Textualize/rich TheAlgorithms/Python
psf/black pytest-dev/pytest aio-libs/aiohttp sqlalchemy/sqlalchemy karpathy/nanoGPT scrapy/scrapy bottlepy/bottle
tornadoweb/tornado celery/celery pypa/pip pallets/jinja pallets/werkzeug encode/django-rest-framework urllib3/urllib3
networkx/networkx huggingface/accelerate mitmproxy/mitmproxy ipython/ipython Textualize/textual dask/dask
python-attrs/attrs
colinhacks/zod vitejs/vite vuejs/core sveltejs/svelte expressjs/express TanStack/query trpc/trpc date-fns/date-fns
axios/axios excalidraw/excalidraw pmndrs/zustand prettier/prettier typeorm/typeorm
remix-run/react-router sindresorhus/got withastro/astro nuxt/nuxt vitest-dev/vitest
drizzle-team/drizzle-orm fastify/fastify ReactiveX/rxjs socketio/socket.io facebook/lexical TheAlgorithms/TypeScript
gin-gonic/gin spf13/cobra gohugoio/hugo caddyserver/caddy etcd-io/etcd go-chi/chi prometheus/prometheus
evanw/esbuild redis/go-redis grpc/grpc-go uber-go/zap labstack/echo go-gorm/gorm jesseduffield/lazygit cli/cli
restic/restic nats-io/nats-server golang/tools valyala/fasthttp stretchr/testify TheAlgorithms/Go
redis/hiredis libuv/libuv raysan5/raylib DaveGamble/cJSON nlohmann/json fmtlib/fmt google/leveldb nginx/nginx
lua/lua tmux/tmux libevent/libevent jemalloc/jemalloc madler/zlib jedisct1/libsodium h2o/h2o nghttp2/nghttp2
antirez/linenoise glfw/glfw bellard/quickjs janet-lang/janet memcached/memcached valkey-io/valkey
libarchive/libarchive micropython/micropython i3/i3 civetweb/civetweb gabime/spdlog ocornut/imgui TheAlgorithms/C
google/gson square/okhttp TheAlgorithms/Java apache/commons-lang
folke/lazy.nvim nvim-telescope/telescope.nvim nvim-lua/plenary.nvim neovim/nvim-lspconfig ohmyzsh/ohmyzsh nvm-sh/nvm
""".split()

# Never trained on: two of each main language, and one each of C++, shell, Lua and Java.
HELDOUT = """
tokio-rs/axum sharkdp/hyperfine pallets/click encode/starlette honojs/hono reduxjs/redux junegunn/fzf
charmbracelet/bubbletea jqlang/jq wren-lang/wren google/re2 bats-core/bats-core hrsh7th/nvim-cmp mockito/mockito
""".split()

# Never trained on either: the rule of copying is fitted to these.
FITTED = """
mitsuhiko/minijinja rust-itertools/itertools marshmallow-code/marshmallow fastapi/typer statelyai/xstate
typescript-eslint/typescript-eslint rs/zerolog sirupsen/logrus libsdl-org/SDL yaml/libyaml troydhanson/uthash
""".split()

LANGUAGES = {
    ".rs": "rust", ".py": "python", ".ts": "typescript", ".tsx": "typescript", ".mts": "typescript",
    ".js": "javascript", ".jsx": "javascript", ".mjs": "javascript", ".go": "go", ".c": "c", ".h": "c",
    ".cc": "cpp", ".cpp": "cpp", ".hpp": "cpp", ".java": "java", ".lua": "lua", ".sh": "shell", ".bash": "shell",
    ".zsh": "shell", ".toml": "toml", ".yaml": "yaml", ".yml": "yaml", ".json": "json", ".md": "markdown",
}
MB = 1_000_000
REPOSITORY_CAP = 2 * MB
LANGUAGE_CAP = collections.defaultdict(
    lambda: 8 * MB,
    rust=48 * MB, python=46 * MB, typescript=40 * MB, javascript=8 * MB, go=42 * MB, c=38 * MB, cpp=6 * MB,
    java=7 * MB, lua=3 * MB, shell=2 * MB, toml=MB // 2, yaml=MB // 2, json=MB // 2, markdown=3 * MB,
)
# Languages that together may take only a part of a repository's cap.
PROSE = {"toml", "yaml", "json", "markdown"}
PROSE_CAP = REPOSITORY_CAP // 10

SKIPPED_FOLDERS = re.compile(
    r"(^|/)(vendor|vendored|third[-_]?party|3rdparty|external|externals|deps|node_modules|dist|build|out|fixtures?"
    r"|__fixtures__|__snapshots__|snapshots?|testdata|test[-_]data|test-cases|golden|generated|gen|locales?|i18n|assets"
    r"|static|public|migrations|corpus|fuzz|\.yarn|\.git|\.github|\.changeset|release-notes|changelogs?)(/|$)",
    re.I,
)
SKIPPED_NAMES = re.compile(
    r"(\.min\.(js|css)$|\.bundle\.|\.pb\.go$|_pb2(_grpc)?\.pyi?$|\.g\.ts$|_generated\.|\.generated\.|generated_"
    r"|^zz_generated|-lock\.|\.lock$|^package-lock|^pnpm-lock|^yarn\.lock|^go\.sum|CHANGELOG|CHANGES|HISTORY|\.snap$"
    r"|\.env|^id_rsa|secrets?\.|credentials?\.|stb_|miniaudio\.h|glad\.h|dr_(wav|mp3|flac)\.h|single_include)",
    re.I,
)
GENERATED = re.compile(
    r"(code generated .{0,40}do not edit|@generated|auto-?generated|automatically generated|do not edit (this|by hand)"
    r"|generated by )", re.I)
SECRET = re.compile(
    r"(-----BEGIN [A-Z ]*PRIVATE KEY|AKIA[0-9A-Z]{16}|ghp_[A-Za-z0-9]{30}|xox[bap]-[0-9A-Za-z-]{20}|sk_live_"
    r"|eyJ[A-Za-z0-9_-]{30,}\.[A-Za-z0-9_-]{30,}|AIza[0-9A-Za-z_-]{35})")
OTHER_LICENCE = re.compile(
    r"(GNU (Lesser |Affero )?General Public|\b[AL]?GPL-[23]|Mozilla Public License|MPL-2|CC-BY-(SA|NC))", re.I)

LICENCE_NAMES = re.compile(r"^(licen[cs]e|copying|copyright|unlicense)([-._].*)?$", re.I)
LICENCES = [
    ("Apache-2.0", "Apache License"),
    ("MIT", "Permission is hereby granted, free of charge"),
    ("BSD-3-Clause", "Neither the name"),
    ("BSD-2-Clause", "Redistribution and use in source and binary forms"),
    ("ISC", "Permission to use, copy, modify, and"),
    ("Zlib", "This software is provided 'as-is'"),
    ("Zlib", 'This software is provided "as-is"'),
    ("Unlicense", "This is free and unencumbered software"),
]


def git(directory, *arguments, stdin=None):
    return subprocess.run(
        ["git", f"--git-dir={directory}", *arguments], input=stdin, capture_output=True, check=True
    ).stdout


def tree(directory, commit):
    """Returns (path, blob id, size) of every regular file of the commit."""
    rows = []
    for line in git(directory, "ls-tree", "-r", "-l", "-z", commit).decode("utf-8", "replace").split("\0"):
        if line:
            meta, path = line.split("\t", 1)
            mode, kind, blob, size = meta.split()
            # A clone without its largest files lists them with size "BAD".
            if kind == "blob" and mode in ("100644", "100755") and size.isdigit():
                rows.append((path, blob, int(size)))
    return rows


def blobs(directory, ids):
    """Returns the contents of the blobs in order; None for absent ones."""
    out = git(directory, "cat-file", "--batch", stdin="".join(f"{i}\n" for i in ids).encode())
    at, contents = 0, []
    for _ in ids:
        end = out.index(b"\n", at)
        header = out[at:end].split()
        at = end + 1
        if header[-1] == b"missing":
            contents.append(None)
            continue
        size = int(header[2])
        contents.append(out[at : at + size])
        at += size + 1
    return contents


def licence_of(directory, files):
    """Returns the SPDX names found in the licence files at the top, and the paths of these files.

    Also returns whether one of them has other than permissive terms only.
    """
    found = [(p, b) for p, b, _ in files if "/" not in p and LICENCE_NAMES.match(p)]
    if not found:  # A folder of licences, or licences stated only in source headers.
        found = [(p, b) for p, b, _ in files if re.match(r"^LICENSES?/[^/]+$", p)]
    names, other = set(), False
    for text in blobs(directory, [b for _, b in found]):
        text = re.sub(r"\s+", " ", (text or b"").decode("utf-8", "replace"))
        matched = {name for name, mark in LICENCES if mark.lower() in text.lower()}
        if "BSD-3-Clause" in matched and "Redistribution and use" not in text:
            matched.discard("BSD-3-Clause")
        if "BSD-3-Clause" in matched:
            matched.discard("BSD-2-Clause")
        names |= matched
        other |= bool(OTHER_LICENCE.search(text)) and not matched
    return sorted(names), [p for p, _ in found], other


def clean(path, raw, dropped):
    """Returns the text of a file worth learning from, or None."""
    if b"\0" in raw:
        dropped["binary"] += 1
        return None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        dropped["not UTF-8"] += 1
        return None
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    head = text[:2000]
    if GENERATED.search(head):
        dropped["generated mark"] += 1
    elif OTHER_LICENCE.search(head):
        dropped["other licence in header"] += 1
    elif SECRET.search(text):
        dropped["secret"] += 1
    elif max(map(len, text.split("\n"))) > 1000 or len(text) / (text.count("\n") + 1) > 120:
        dropped["long lines"] += 1
    elif sum(c.isdigit() for c in text) > 0.25 * len(text):
        dropped["mostly digits"] += 1
    elif sum(ord(c) > 127 for c in text) > 0.1 * len(text):
        dropped["mostly not ASCII"] += 1
    else:
        return text
    return None


def shingles(text):
    """Returns a sketch of the file's lines, at most 64 values, for near duplicates."""
    lines = {re.sub(r"\s+", "", line) for line in text.split("\n")}
    values = sorted(int.from_bytes(hashlib.blake2b(l.encode(), digest_size=8).digest(), "big") for l in lines if len(l) > 8)
    return values[:64]


class Duplicates:
    """Finds duplicates after white-space folding, and files sharing most of their line sketch."""

    def __init__(self):
        self.exact, self.bands = set(), {}

    def seen(self, text):
        folded = hashlib.blake2b(re.sub(r"\s+", "", text).encode(), digest_size=16).digest()
        if folded in self.exact:
            return "duplicate"
        self.exact.add(folded)
        sketch = shingles(text)
        if len(sketch) >= 16:
            mine = set(sketch)
            for value in sketch[:8]:
                other = self.bands.get(value)
                if other and len(mine & other) > 0.7 * max(len(mine), len(other)):
                    return "near duplicate"
            for value in sketch[:8]:
                self.bands[value] = mine
        return None


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--mirror", required=True, help="folder of git directories <owner>+<name>/repo")
    arguments.add_argument("--out", required=True)
    arguments.add_argument("--record", help="an earlier corpus.json: read exactly its commits")
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    pinned = {}
    if options.record:
        pinned = {r["repository"]: r["commit"] for r in json.load(open(options.record))["repositories"]}

    dropped, duplicates, refused = collections.Counter(), Duplicates(), []
    by_language, records = collections.Counter(), []
    os.makedirs(options.out, exist_ok=True)
    sinks = {s: open(os.path.join(options.out, f"{s}.jsonl"), "w", encoding="utf-8") for s in ("train", "heldout", "fitted")}
    # Held-out repositories go first: if they share a file with another repository, the copy there
    # is dropped as the duplicate.
    splits = [("heldout", HELDOUT), ("train", TRAIN), ("fitted", FITTED)]
    for split, name in ((split, name) for split, names in splits for name in names):
        if pinned and name not in pinned:
            continue
        directory = os.path.join(options.mirror, name.replace("/", "+"), "repo")
        if os.path.isdir(os.path.join(directory, ".git")):
            directory = os.path.join(directory, ".git")
        if not os.path.isdir(directory):
            refused.append([name, "no clone"])
            continue
        commit = pinned.get(name) or git(directory, "rev-parse", "HEAD").decode().strip()
        files = tree(directory, commit)
        licences, licence_files, other = licence_of(directory, files)
        if not licences and name == "lua/lua":
            # Lua states its MIT licence at the end of lua.h.
            text = blobs(directory, [b for p, b, _ in files if p == "lua.h"])[0] or b""
            if b"Permission is hereby granted, free of charge" in text:
                licences, licence_files = ["MIT"], ["lua.h"]
        if not licences or other:
            refused.append([name, f"licence: {licences} {licence_files} other={other}"])
            continue

        chosen = []
        for path, blob, size in files:
            base = os.path.basename(path)
            language = LANGUAGES.get(os.path.splitext(base)[1].lower())
            if language is None or size == 0:
                continue
            if SKIPPED_FOLDERS.search(os.path.dirname(path)) or re.search(r"(^|/)(ee|enterprise)/", path):
                dropped["folder"] += 1
            elif SKIPPED_NAMES.search(base):
                dropped["name"] += 1
            elif not 120 <= size <= 200_000:
                dropped["size"] += 1
            else:
                chosen.append((path, blob, language))
        random.Random(f"{options.seed} {name}").shuffle(chosen)

        taken, count, total, prose = collections.Counter(), 0, 0, 0
        cap = 6 * MB if split == "heldout" else REPOSITORY_CAP
        for (path, _, language), raw in zip(chosen, blobs(directory, [b for _, b, _ in chosen])):
            if raw is None:
                dropped["absent"] += 1
                continue
            size = len(raw)
            over = total + size > cap or (language in PROSE and prose + size > PROSE_CAP)
            if over or (split == "train" and by_language[language] + size > LANGUAGE_CAP[language]):
                dropped["cap"] += 1
                continue
            text = clean(path, raw, dropped)
            if text is None:
                continue
            reason = duplicates.seen(text)
            if reason:
                dropped[reason] += 1
                continue
            row = {"repo": name, "path": path, "language": language, "text": text}
            sinks[split].write(json.dumps(row, ensure_ascii=False) + "\n")
            size = len(text.encode())
            taken[language] += size
            count, total = count + 1, total + size
            prose += size if language in PROSE else 0
            if split == "train":
                by_language[language] += size
        records.append({
            "repository": name, "commit": commit, "licence": licences, "licence_files": licence_files,
            "split": split, "files": count, "bytes": dict(sorted(taken.items())),
        })
        print(f"{split:8} {name:28} {'/'.join(licences):28} {count:5} files {total / MB:6.2f} MB", file=sys.stderr)

    for sink in sinks.values():
        sink.close()
    record = {
        "repositories": records, "refused": refused, "dropped": dict(dropped.most_common()),
        "bytes_by_language": dict(by_language.most_common()),
    }
    with open(os.path.join(options.out, "corpus.json"), "w") as out:
        json.dump(record, out, indent=1)
    print(json.dumps({k: record[k] for k in ("refused", "dropped", "bytes_by_language")}, indent=1), file=sys.stderr)


if __name__ == "__main__":
    main()
