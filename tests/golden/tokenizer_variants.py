"""Variants of a small tokenizer.json, one per feature. Leaves out: expected results (tokenizer.py computes them)."""
import copy

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
SUFFIX = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
O200K = (rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+{SUFFIX}|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*{SUFFIX}"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK = (r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
            r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
SCRIPTS = "Han Hiragana Katakana Hangul Latin Cyrillic Greek Arabic Hebrew Thai Devanagari".split()
CATEGORIES = "Lu Ll Lt Lm Lo M Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co".split()


def byte_level(**changes):
    return dict({"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}, **changes)


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def sequence(*parts):
    return {"pre_tokenizer": {"type": "Sequence", "pretokenizers": list(parts)}}


def added(content, **changes):
    return dict({"id": 0, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
                 "normalized": False, "special": True}, **changes)


def pre_tokenizer_variants():
    last = byte_level(use_regex=False)
    out = {"llama3": sequence(split(LLAMA3), last), "llama3_as_group": sequence(split(f"(?:{LLAMA3})"), last),
           "qwen2": sequence(split(QWEN2), last), "o200k": sequence(split(O200K), last),
           "o200k_removed_inverted": sequence(split(O200K, "Removed", True), last),
           "deepseek": sequence(split(r"\p{N}{1,3}"), split("[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"),
                                split(DEEPSEEK), last)}
    for behavior in ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]:
        for invert in (False, True):
            name = behavior + ("_inverted" if invert else "")
            out[name] = sequence(split(r"\s|\p{N}|x*", behavior, invert), byte_level())
            out[name + "_string"] = sequence(split(" ", behavior, invert, "String"),
                                             split("the", behavior, invert, "String"), last)
    out["digits"] = sequence({"type": "Digits", "individual_digits": True}, byte_level())
    out["digits_runs_prefix"] = sequence({"type": "Digits", "individual_digits": False},
                                         byte_level(add_prefix_space=True))
    out["prefix_space"] = {"pre_tokenizer": byte_level(add_prefix_space=True)}
    out["prefix_space_after_split"] = sequence(split(LLAMA3), byte_level(add_prefix_space=True, use_regex=False))
    out["no_regex"] = {"pre_tokenizer": last}
    out["anchors"] = sequence(split(r"^.|.$|\A\s|\s\z|(?<=a)b|(?<!1)2(?=3)|[^\S ]+|\P{L}{3,}|(?>a+)a|a++b|[\S]{2,4}?"), last)
    out["scripts"] = sequence(*[split(rf"\p{{{s}}}+") for s in SCRIPTS], last)
    out["categories"] = sequence(*[split(rf"\p{{{c}}}+") for c in CATEGORIES], last)
    out["negated_sets"] = sequence(split(r"[^\P{L}a-f]+|[\P{N}\p{Lu}]{3}|[^\S\p{Zs}]|\D\d|\p{^L}"), last)
    out["ignore_case"] = sequence(split(r"(?i)'[sdmt]|kK|(?:(?-i)Y|z)q|[a-c]{2}|(?i:x|(?-i:Y)z)q|[^k-s\s]+e"), last)
    return out


def normalizer_variants():
    out = {form: {"normalizer": {"type": form}} for form in ["NFC", "NFD", "NFKC", "NFKD"]}
    out["normalizer_sequence"] = {"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKD"}, {"type": "NFC"}]}}
    out["normalizer_empty"] = {"normalizer": {"type": "Sequence", "normalizers": []}}
    return out


def added_token_variants(base):
    tokens = base["added_tokens"] + [
        added("<L>", lstrip=True), added("<R>", rstrip=True), added("<LR>", lstrip=True, rstrip=True, normalized=True),
        added("wordz", single_word=True, special=False), added("caf\u00e9", normalized=True, special=False),
        added("\u212bng", normalized=True), added(" sp", special=False), added("ab", special=False),
        added("abc", special=False), added("e\u0301"), added("\uff21", normalized=True),
        added("wz", single_word=True, lstrip=True, rstrip=True), added("caf", normalized=True, single_word=True)]
    out = {"added": {"added_tokens": tokens}}
    for form in ["NFC", "NFKC", "NFD"]:
        out["added_" + form] = {"added_tokens": tokens, "normalizer": {"type": form}}
    out["added_prefix_space"] = {"added_tokens": tokens, "pre_tokenizer": byte_level(add_prefix_space=True)}
    return copy.deepcopy(out)


def other_variants():
    template = {"type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                           {"SpecialToken": {"id": "</s>", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {"<s>": {"id": "<s>", "ids": [1, 7], "tokens": ["a", "b"]},
                                   "</s>": {"id": "</s>", "ids": [2], "tokens": ["c"]}}}
    return {"template": {"post_processor": template},
            "template_in_sequence": {"post_processor": {"type": "Sequence",
                                                        "processors": [byte_level(trim_offsets=False), template]}},
            "no_decoder": {"decoder": None},
            "decoder_sequence": {"decoder": {"type": "Sequence", "decoders": [byte_level(), {"type": "Fuse"}]}},
            "decoder_fuse": {"decoder": {"type": "Fuse"}},
            "truncation_and_padding": {
                "truncation": {"direction": "Right", "max_length": 5, "strategy": "LongestFirst", "stride": 0},
                "padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
                            "pad_type_id": 0, "pad_token": "x"}}}


def model_variants(base):
    def changed(**changes):
        return dict(copy.deepcopy(base["model"]), **changes)

    vocabulary = {c: i for i, c in enumerate("abcdefghijklmnopqrstuvwxyz")}
    vocabulary.update({"ab": 26, "abc": 27, "aa": 28, "<unk>": 29, "\u0120": 30, "aaaa": 31, "zz": 32, "bc": 33,
                       "a<unk>": 34})
    merges = [["a", "a"], ["b", "c"], ["a", "b"], ["ab", "c"], ["a", "bc"], ["aa", "aa"], ["a", "<unk>"]]

    def small(**changes):
        return dict({"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                     "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                     "vocab": vocabulary, "merges": merges}, **changes)

    extra = [added("<x>"), added("<y>"), added("a", special=False)]
    return {"ignore_merges": {"model": changed(ignore_merges=True, merges=base["model"]["merges"][:60])},
            "text_merges": {"model": changed(merges=["#version: 0.2"] + [" ".join(m) for m in base["model"]["merges"]])},
            "missing_bytes": {"model": small(), "added_tokens": []},
            "unknown_token": {"model": small(unk_token="<unk>"), "added_tokens": []},
            "fused_unknown": {"model": small(unk_token="<unk>", fuse_unk=True), "added_tokens": extra},
            "repeated_merge": {"model": small(merges=merges + [["a", "a"]]), "added_tokens": []},
            "gaps": {"model": small(vocab={k: v + 1000 * (v > 20) for k, v in vocabulary.items()}), "added_tokens": []}}


def variants(base):
    """Name -> members of tokenizer.json that replace those of `base`. Ids of added tokens are left to the caller."""
    return {"base": {}, **pre_tokenizer_variants(), **normalizer_variants(), **added_token_variants(base),
            **other_variants(), **model_variants(base)}
