"""Writes tests/golden/tokenizer/: what Hugging Face `tokenizers` does with our texts.

Leaves out: transformers' own layers (chat templates, padding, truncation).
Run with the oracle Python (tokenizers 0.23.3, needs ../shared beside the checkout):
    TOKENIZERS_PARALLELISM=false python tests/golden/tokenizer.py
Files: texts.json (made by us), fuzz.json (seeded), base.json (a trained tokenizer; also the trainer's golden),
variants.json (patches of base.json with checksums), shared.json (ids and checksums with ../shared/tokenizers).
A checksum is the CRC-32 of one line per text, see `checksums`.
"""
import copy
import json
import pathlib
import random
import unicodedata
import zlib

import tokenizers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from tokenizer_texts import TEXTS
from tokenizer_variants import variants

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests/golden/tokenizer"
SHARED = ROOT.parent / "shared"
BLOCK = 100
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def fuzz_texts(count, seed):
    everything = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    marks = [c for c in everything if unicodedata.category(chr(c))[0] == "M"]
    decomposed = [c for c in everything if unicodedata.decomposition(chr(c))]
    unassigned = [c for c in everything if unicodedata.category(chr(c)) == "Cn"]
    newer = [0x897, 0x9FE, 0x1ABF, 0x10D40, 0x10D69, 0x10EFD, 0x11930, 0x11935, 0x11938, 0x113C2, 0x113C9, 0x16D63,
             0x16D67, 0x1C89, 0x1E08F, 0x1E4EC, 0x2EBF0, 0x31350, 0x11DE0, 0x16FF4]
    r = random.Random(seed)
    pick = r.choice
    pools = [
        lambda: chr(r.randrange(32, 127)), lambda: " ", lambda: pick("0123456789"), lambda: pick("abcdefghiABC"),
        lambda: pick(" \t\n\r\v\f\x85\xa0\u1680\u180e\u2000\u200b\u2028\u2029\u3000\ufeff"),
        lambda: pick(["\n", "\r\n", "\r", "  ", "   ", "\n\n"]),
        lambda: "'" + pick(["s", "t", "re", "ve", "m", "ll", "d", "S", "RE", "Ve", "lL", "\u017f", "x", "l", "r", "'"]),
        lambda: pick(SPECIALS), lambda: pick(SPECIALS)[:r.randrange(1, 13)],
        lambda: pick([" ab ", " wz ", "caf", "cafe\u0301", "A\u030a", "\u212bng", "aaab", "abcab", "wordz", "<L>", " <LR> "]),
        lambda: chr(pick(marks)), lambda: chr(pick(marks)) * r.randrange(1, 6), lambda: chr(pick(decomposed)),
        lambda: chr(pick(newer)), lambda: chr(pick(unassigned)), lambda: chr(pick(everything)),
        lambda: chr(r.randrange(0x1100, 0x1200)), lambda: chr(r.randrange(0xAC00, 0xD7A4)),
        lambda: chr(r.randrange(0x11A7, 0x11C4)), lambda: chr(r.randrange(0x4E00, 0xA000)),
        lambda: chr(r.randrange(0xF900, 0xFB50)), lambda: chr(r.randrange(0xE000, 0xF900)),
        lambda: chr(r.randrange(0, 0x300)), lambda: chr(r.randrange(0x300, 0x700)), lambda: chr(r.randrange(0x900, 0xE80)),
        lambda: pick(["\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea", "\u2764\ufe0f", "\U0001f44d\U0001f3fd"]),
        lambda: pick(["the", "ing", " of", " hello", "World", " \u0438", "\u4e0d\u662f", "\u3067\u3059"]),
        lambda: pick(" \n1a\u0430.") * r.randrange(1, 40), lambda: pick("\u0660\u09e7\u0968\u0be9\u0ceb")]
    texts = []
    for _ in range(count):
        use = [pick(pools) for _ in range(r.randrange(1, 6))]
        texts.append("".join(pick(use)() for _ in range(r.randrange(0, 24))))
    return texts


def load(text):
    t = Tokenizer.from_str(text)
    t.no_truncation()
    t.no_padding()
    return t


def checksums(t, texts, special=False, decode=True):
    """CRC-32 per BLOCK texts of "id,id,...\\n", with `decode` followed by both decodings, each ended by a zero byte."""
    out = []
    for start in range(0, len(texts), BLOCK):
        crc = 0
        for text in texts[start:start + BLOCK]:
            ids = t.encode(text, add_special_tokens=special).ids
            crc = zlib.crc32((",".join(map(str, ids)) + "\n").encode(), crc)
            if decode:
                for skip in (False, True):
                    crc = zlib.crc32((t.decode(ids, skip_special_tokens=skip) + "\0").encode(), crc)
        out.append(crc)
    return out


def strings_in(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from strings_in(part)


def data_strings(path):
    text = path.read_text(encoding="utf-8")
    documents = [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else [json.loads(text)]
    return [s for document in documents for s in strings_in(document)]


def train_base():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(TEXTS, trainers.BpeTrainer(
        vocab_size=420, special_tokens=SPECIALS, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False))
    return json.loads(t.to_str())


def write(name, value, indent=None):
    OUT.mkdir(exist_ok=True)
    (OUT / name).write_text(json.dumps(value, ensure_ascii=False, indent=indent) + "\n", encoding="utf-8")


def write_variants(base, fuzz):
    out = {}
    for name, patch in variants(base).items():
        document = dict(copy.deepcopy(base), **patch)
        numbered = load(json.dumps(document))
        for token in document["added_tokens"]:
            token["id"] = numbered.token_to_id(token["content"])
        if "added_tokens" in patch:
            patch = dict(patch, added_tokens=document["added_tokens"])
        t = load(json.dumps(document))
        out[name] = {"patch": patch, "special": "post_processor" in patch,
                     "texts": checksums(t, TEXTS, "post_processor" in patch),
                     "fuzz": checksums(t, fuzz, "post_processor" in patch),
                     "example_text": TEXTS[1], "example_ids": t.encode(TEXTS[1]).ids}
    rows = [json.dumps(name) + ":" + json.dumps(row, separators=(",", ":")) for name, row in out.items()]
    head = json.dumps({"tokenizers": tokenizers.__version__, "block": BLOCK})[:-1]
    (OUT / "variants.json").write_text(head + ', "variants": {\n' + ",\n".join(rows) + "\n}}\n")


def write_shared(fuzz):
    out = {"tokenizers": tokenizers.__version__, "block": BLOCK, "models": {}}
    for folder in sorted((SHARED / "tokenizers").iterdir()):
        t = load((folder / "tokenizer.json").read_text(encoding="utf-8"))
        files = {}
        for path in sorted(p for p in (SHARED / "data").iterdir() if p.suffix in (".json", ".jsonl")):
            strings = data_strings(path)
            ids = sum(len(t.encode(s).ids) for s in strings)
            files[path.name] = {"strings": len(strings), "ids": ids, "blocks": checksums(t, strings, decode=False)}
        out["models"][folder.name] = {"texts": [t.encode(s).ids for s in TEXTS], "texts_crc": checksums(t, TEXTS),
                                      "fuzz": checksums(t, fuzz), "files": files}
    text = json.dumps(out, separators=(",", ":")).replace("],", "],\n")
    (OUT / "shared.json").write_text(text + "\n")


def main():
    fuzz = fuzz_texts(1500, 20240607)
    base = train_base()
    write("texts.json", TEXTS, 0)
    write("fuzz.json", fuzz, 0)
    write("base.json", base)
    write_variants(base, fuzz)
    write_shared(fuzz)


main()
