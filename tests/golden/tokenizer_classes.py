"""Writes tokenizer_classes.json: with which class transformers' AutoTokenizer opens folders whose tokenizer.json, config.json
and tokenizer_config.json say different things, and whether it gives the ids of tokenizer.json.

Run by hand in the environment of requirements.txt:  python tokenizer_classes.py
configs/tokenizers/transformers.json is what ftrun believes of it.
"""
import itertools
import json
import pathlib
import tempfile

import transformers
from tokenizers import Tokenizer

HERE = pathlib.Path(__file__).resolve().parent
BASE = json.loads((HERE / "template_tokenizer" / "tokenizer.json").read_text())
for left, right in (("1", "2"), ("'", "S")):  # what one rule of splitting keeps together and another does not
    BASE["model"]["vocab"][left + right] = max(BASE["model"]["vocab"].values()) + 100
    BASE["model"]["merges"].append([left, right] if isinstance(BASE["model"]["merges"][0], list) else f"{left} {right}")
BASE["model"]["vocab"]["zz"] = max(BASE["model"]["vocab"].values()) + 1  # no merge makes it
QWEN = json.loads((HERE.parent.parent / "configs/tokenizers/transformers.json").read_text())["rebuilt"]["Qwen2Tokenizer"]
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
PARTS = {  # name: normalizer, pre_tokenizer, ignore_merges
    "qwen": (QWEN["normalizer"], QWEN["pre_tokenizer"], False),
    "qwen_in_sequence": ({"type": "Sequence", "normalizers": [QWEN["normalizer"]]}, QWEN["pre_tokenizer"], False),
    "qwen_ignoring_merges": (QWEN["normalizer"], QWEN["pre_tokenizer"], True),
    "byte_level": (None, BYTE_LEVEL, False),
    "byte_level_nfc": ({"type": "NFC"}, BYTE_LEVEL, False),
    "qwen_without_normalizer": (None, QWEN["pre_tokenizer"], False),
}
MODEL_TYPES = (None, "llama", "qwen2", "qwen3")
CLASSES = (None, "PreTrainedTokenizerFast", "TokenizersBackend", "Qwen2Tokenizer", "Qwen2TokenizerFast", "LlamaTokenizerFast",
           "GPT2Tokenizer", "NoSuchTokenizer")
TEXTS = ["zz", "Hello world 12345 it's", "  two  spaces\n\n\tand IT'S\r\n", "e\u0301 a\u030a \u1100\u1161", "x=1;y=22", " (a)  !?\n\n x"]
CONFIG = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "vocab_size": 1000}


def opened(folder, parts, model_type, tokenizer_class):
    normalizer, pre_tokenizer, ignore_merges = PARTS[parts]
    model = BASE["model"] | {"ignore_merges": ignore_merges}
    document = BASE | {"normalizer": normalizer, "pre_tokenizer": pre_tokenizer, "model": model}
    (folder / "tokenizer.json").write_text(json.dumps(document))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": tokenizer_class} if tokenizer_class else {}))
    (folder / "config.json").unlink(missing_ok=True)
    if model_type:
        (folder / "config.json").write_text(json.dumps(CONFIG | {"model_type": model_type}))
    plain = Tokenizer.from_file(str(folder / "tokenizer.json"))
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    same = all(theirs(text, add_special_tokens=False)["input_ids"] == plain.encode(text, add_special_tokens=False).ids
               for text in TEXTS)
    return {"parts": parts, "model_type": model_type, "tokenizer_class": tokenizer_class,
            "opened_as": type(theirs).__name__, "same_ids": same}


def main():
    transformers.logging.set_verbosity_error()
    rows = []
    for case in itertools.product(PARTS, MODEL_TYPES, CLASSES):
        with tempfile.TemporaryDirectory() as folder:
            rows.append(opened(pathlib.Path(folder), *case))
    parts = {name: dict(zip(("normalizer", "pre_tokenizer", "ignore_merges"), value)) for name, value in PARTS.items()}
    lines = ",\n  ".join(json.dumps(row) for row in rows)
    (HERE / "tokenizer_classes.json").write_text(
        '{"parts": ' + json.dumps(parts) + ',\n "rows": [\n  ' + lines + "\n]}\n")
    print(len(rows), sum(not row["same_ids"] for row in rows))


if __name__ == "__main__":
    main()
