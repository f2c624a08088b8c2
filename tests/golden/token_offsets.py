"""Writes tokenizer/offsets.json: where `tokenizers` says that each token stands, for the tokenizers of variants.json.

Leaves out: ids (tokenizer.py). Run with the oracle Python (tokenizers 0.23.3), after tokenizer.py:
    TOKENIZERS_PARALLELISM=false python tests/golden/token_offsets.py
A checksum is the CRC-32 of one line per text, "begin-end,begin-end,...", in bytes of UTF-8, per block of texts. Without
post-processors, whose trim_offsets takes white space from tokens that stand for it. Texts that a normalizer changes are
left out: `tokenizers` aligns a composed character with its first part only, ftrun with the whole stretch. So are
vocabularies without all bytes: there ftrun gives each token of a word with an unknown byte the whole word.
"""
import json
import pathlib
import zlib

import tokenizers
from tokenizers import Tokenizer, pre_tokenizers

OUT = pathlib.Path(__file__).resolve().parent / "tokenizer"
BLOCK = 100


def byte_offsets(text, encoding):
    starts = [0]
    for character in text:
        starts.append(starts[-1] + len(character.encode()))
    return ",".join(f"{starts[begin]}-{starts[end]}" for begin, end in encoding.offsets)


def checksums(tokenizer, texts):
    out = []
    for start in range(0, len(texts), BLOCK):
        crc = 0
        for text in texts[start:start + BLOCK]:
            changed = tokenizer.normalizer and tokenizer.normalizer.normalize_str(text) != text
            line = "-" if changed else byte_offsets(text, tokenizer.encode(text, add_special_tokens=False))
            crc = zlib.crc32((line + "\n").encode(), crc)
        out.append(crc)
    return out


def main():
    base = json.loads((OUT / "base.json").read_text())
    variants = json.loads((OUT / "variants.json").read_text())["variants"]
    sets = {name: json.loads((OUT / f"{name}.json").read_text()) for name in ("texts", "fuzz")}
    rows = []
    for name, variant in variants.items():
        vocabulary = variant["patch"].get("model", base["model"])["vocab"]
        if any(symbol not in vocabulary for symbol in pre_tokenizers.ByteLevel.alphabet()):
            continue
        tokenizer = Tokenizer.from_str(json.dumps(dict(base, **variant["patch"]) | {"post_processor": None}))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        row = {"skipped": {key: [i for i, text in enumerate(texts) if tokenizer.normalizer
                                 and tokenizer.normalizer.normalize_str(text) != text] for key, texts in sets.items()}}
        row |= {key: checksums(tokenizer, texts) for key, texts in sets.items()}
        rows.append(json.dumps(name) + ":" + json.dumps(row, separators=(",", ":")))
    head = json.dumps({"tokenizers": tokenizers.__version__, "block": BLOCK})[:-1]
    (OUT / "offsets.json").write_text(head + ', "variants": {\n' + ",\n".join(rows) + "\n}}\n")


if __name__ == "__main__":
    main()
