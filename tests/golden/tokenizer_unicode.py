"""Writes core/data/tokenizer/unicode_tables.cpp: the Unicode data that Hugging Face `tokenizers` uses.

Leaves out: normalisation data (utf8proc has it; only the code points that `tokenizers` does not know are listed).
Run with the oracle Python:  python tests/golden/tokenizer_unicode.py

`tokenizers` 0.23 mixes versions: Oniguruma's classes are Unicode 16, Rust's `\\w` is Unicode 16, Rust's char::is_numeric
is Unicode 17, unicode-normalization-alignments is Unicode 9. Debian 12 has PCRE2 with Unicode 14 and utf8proc with 15.
So the classes are probed from `tokenizers` itself, code point by code point.
"""
import ctypes
import pathlib
import unicodedata

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

ROOT = pathlib.Path(__file__).resolve().parents[2]
POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co".split()
SCRIPTS = "Han Hiragana Katakana Hangul Latin Cyrillic Greek Arabic Hebrew Thai Devanagari".split()


def onig_class(pattern):
    split = pre_tokenizers.Split(Regex(pattern), "removed")
    found = set()
    for i in range(0, len(POINTS), 8192):
        text = "".join(map(chr, POINTS[i:i + 8192]))
        rest = set("".join(piece for piece, _ in split.pre_tokenize_str(text)))
        found |= {ord(c) for c in text if c not in rest}
    return found


def rust_word():
    t = Tokenizer(models.BPE(vocab={"a": 0}, merges=[]))
    t.add_tokens([AddedToken("<x>", single_word=True, normalized=False)])
    added = t.token_to_id("<x>")
    return {c for c in POINTS if added not in t.encode("<x>" + chr(c)).ids}


def rust_numeric():
    digits = pre_tokenizers.Digits(individual_digits=True)
    return {c for c in POINTS if len(digits.pre_tokenize_str(chr(c) * 2)) == 2}


def normalization_barriers():
    """Code points that utf8proc normalises but `tokenizers` leaves alone: unassigned in its Unicode version."""
    lib = ctypes.CDLL("libutf8proc.so.2")
    lib.utf8proc_get_property.restype = ctypes.POINTER(ctypes.c_int16 * 2)
    lib.utf8proc_map.restype = ctypes.c_ssize_t
    nfd, nfkd = normalizers.NFD().normalize_str, normalizers.NFKD().normalize_str

    def utf8proc(c, options):
        out = ctypes.c_void_p()
        raw = chr(c).encode()
        size = lib.utf8proc_map(raw, ctypes.c_ssize_t(len(raw)), ctypes.byref(out), options)
        return ctypes.string_at(out, size).decode()

    low, high = "\u0334", "\u0345"  # combining classes 1 and 240
    barriers = {0x11930, 0x11A7}  # second half of U+11938; the T base, which utf8proc 2.8 drops after an LV syllable
    for c in POINTS:
        combining = lib.utf8proc_get_property(c).contents[1]
        s = chr(c)
        if combining and nfd(s) == s and nfd(s + low) == s + low and nfd(high + s) == high + s and c not in (0x334, 0x345):
            if combining not in (1, 240):
                barriers.add(c)
            elif (combining == 1 and nfd(high + s) == high + s) or (combining == 240 and nfd(s + low) == s + low):
                barriers.add(c)
        stable, decompose, compat = 1 << 1, 1 << 4, 1 << 2
        if nfd(s) != utf8proc(c, stable | decompose) or nfkd(s) != utf8proc(c, stable | decompose | compat):
            assert nfkd(s) == s, hex(c)
            barriers.add(c)
    return barriers


def ranges(points):
    out = []
    for c in sorted(points):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def table(name, points):
    cells = [f"{{0x{a:x}, 0x{b:x}}}" for a, b in ranges(points)]
    lines, line = [], "   "
    for cell in cells:
        if len(line) + len(cell) + 2 > 119:
            lines.append(line)
            line = "   "
        line += " " + cell + ","
    return f"const CodePointRange {name}[] = {{\n" + "\n".join(lines + [line]) + "\n};\n"


def main():
    word = rust_word()
    named = {"kLetters": onig_class(r"\p{L}"), "kNumbers": onig_class(r"\p{N}"), "kWordCharacters": word,
             "kNumericCharacters": rust_numeric(), "kNormalizationBarriers": normalization_barriers()}
    out = ["// Unicode data as Hugging Face `tokenizers` %s uses it. Written by tests/golden/tokenizer_unicode.py." %
           tokenizers.__version__,
           "// Leaves out: what PCRE2 and utf8proc already know in the same way.",
           '#include "core/data/tokenizer/unicode_tables.h"\n', "namespace ftrun {", "namespace {\n", "// clang-format off"]
    for name, points in named.items():
        out.append(table(name, points))
    newer = []
    for category in CATEGORIES:
        old = {c for c in POINTS if unicodedata.category(chr(c)) == category}
        extra = onig_class(r"\p{%s}" % category) - old
        newer += [(category, a, b) for a, b in ranges(extra)]
    assert unicodedata.unidata_version == "14.0.0"  # PCRE2 10.42's version
    newer.sort(key=lambda row: row[1])
    # Scripts: Python has no script data, so whatever Oniguruma has in code points that Unicode 14 lacks, and U+32FF..33FF.
    for script in SCRIPTS:
        points = onig_class(r"\p{%s}" % script)
        unassigned = {c for c in points if unicodedata.category(chr(c)) == "Cn"}
        newer += [(script, a, b) for a, b in ranges(unassigned)]
    out.append("const NewerProperty kNewerProperties[] = {")
    line = "   "
    for name, a, b in newer:
        cell = f' {{"{name}", {{0x{a:x}, 0x{b:x}}}}},'
        if len(line) + len(cell) > 119:
            out.append(line)
            line = "   "
        line += cell
    out += [line, "};", "// clang-format on\n", "}  // namespace\n"]
    for function, name in [("letter_ranges", "kLetters"), ("number_ranges", "kNumbers"), ("word_ranges", "kWordCharacters"),
                           ("numeric_ranges", "kNumericCharacters"),
                           ("normalization_barriers", "kNormalizationBarriers")]:
        out.append(f"std::span<const CodePointRange> {function}() {{ return {name}; }}")
    out += ["std::span<const NewerProperty> newer_properties() { return kNewerProperties; }", "", "}  // namespace ftrun", ""]
    (ROOT / "core/data/tokenizer/unicode_tables.cpp").write_text("\n".join(out))


main()
