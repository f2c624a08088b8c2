#!/usr/bin/env python3
"""yaml_scalars.json: texts and what PyYAML reads from them, for tests/config/yaml_reader_test.cpp.

Escapes, quoted scalars over several lines, literal and folded blocks with every chomping and indentation, anchors, tags,
line ends. A value is a text, null, a list, or {"map": [[key, value], ...]}; "refused" is what YAML, or ftrun on purpose
(zero bytes, halves of surrogate pairs), does not take. PyYAML follows YAML 1.1 in two points that are left out here:
U+0085, U+2028 and U+2029 as line breaks, and tabs between tokens.

Run: /opt/oracle/bin/python tests/golden/yaml_scalars.py   (PyYAML 6.0.x)
"""

import json
import pathlib

import yaml


def value_of(node):
    if isinstance(node, yaml.ScalarNode):
        is_null = node.style is None and node.value in ("", "~", "null", "Null", "NULL")
        return None if is_null else node.value
    if isinstance(node, yaml.SequenceNode):
        return [value_of(item) for item in node.value]
    return {"map": [[value_of(key), value_of(item)] for key, item in node.value]}


def texts_of(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from texts_of(item)
    elif isinstance(value, dict):
        yield from texts_of(value["map"])


def reading(text):
    try:
        value = value_of(yaml.compose(text, Loader=yaml.BaseLoader))
    except (yaml.YAMLError, ValueError, OverflowError):
        return {"refused": True}
    if any("\0" in part or any(0xD800 <= ord(c) <= 0xDFFF for c in part) for part in texts_of(value)):
        return {"refused": True}
    return {"value": value}


def blocks():
    bodies = ["  x\n", "  x", "  x\n\n", "  x\n\n\n", "  x\n  y\n", "  x\n\n  y\n", "  x\n\n\n  y\n", "\n  x\n",
              "\n\n  x\n\n", "  x\n   y\n  z\n", "  x\n\n   y\n\n  z\n", "  x\n    \n  y\n", "", "\n", "  \n\n",
              "  x \n  y\n", "  x\t\n\n\n", "  \tx\n  y\n", "  x # no\n", "  \u00e9\u20ac\n  \\n\n"]
    for style in "|>":
        for header in ("", "-", "+", "2", "2-", "+2", "1"):
            for body in bodies:
                if body.endswith("\n"):
                    yield f"a: {style}{header}\n{body}b: 1\n"
                yield f"a: {style}{header} # c\n{body}"
            for body in bodies[:8]:
                whole = body if body.endswith("\n") else body + "\n"
                yield f"l:\n- {style}{header}\n{whole}- k\n"
                yield f"m:\n  a: {style}{header}\n" + "".join("  " + line for line in whole.splitlines(True)) + "c: 1\n"


def quotes():
    bodies = ["a", "", "a b", "a\n  b", "a\n\n  b", "a\n\n\n  b", "a \n  b", "a\t\n \n  b", "\n  a", "\n\n  a", "a\n  ",
              "a\n\n  ", " a ", "a\n\n\n\n  b\n  c", "a  \n  b  "]
    for quote in "\"'":
        for body in bodies:
            yield f"a: {quote}{body}{quote}\nb: 1\n"
            yield f"l: [{quote}{body}{quote}, x]"
    yield from ["a: 'it''s'\n", "a: 'it''s\n\n  x'''\n", "'a': b\n", "a: \"x\r\n\r\n  y\"\r\nb: 'z\r\n  w'\r\n"]


def escapes():
    kinds = list("0abt\tnvfre \"/\\N_LPxuUqz1'\n") + ["x4", "x41", "xe9", "xff", "u12", "u20ac", "ud83d", "ude00",
                                                      "ud83d\\ude00", "U0001F600", "U0010FFFF", "U00110000", "UFFFFFFFF",
                                                      "u0000", "x00", "\n  b", "\n\n  b", " \n  b"]
    for kind in kinds:
        for pattern in ('a: "x\\{}y"\n', 'a: "\\{}"\n', 'a: "x \\{}  \n   y"\n', '"k\\{}": v\n'):
            yield pattern.format(kind)


def others():
    yield from ["a: p\n q\n", "a: p\n\n q\n", "a: p\n\n\n q\n", "a: p \n  q  \n\nb: 1\n", "a: [p\n q, r\n\n s]\n",
                "a: p # c\n", "a: p#c\n", "a:\n  p\n  q\n", "- a\n- b\n  c\n", "a: &x 'q'\nb: *x\n",
                "a: &x |\n  q\n\nb: {c: *x}\n", "a: &x |1\n  q\nb:\n    - *x\n", "a: !!str 'q\n\n\n  z'\n", "a: ! \"q\"\n",
                "? \"a\"\n: b\n", "? |\n  k\n: v\n", "? x\n", "? x\ny: 1\n", "a: 1\n? x\n", "a: {b, c: 1}\n", "b:",
                "a: 1\nbf16", "a: 1\nbf16\n", "a: 1\n'bf16'\n", "a: 1\n\"b\"", "bf16\na: 1\n", "a:\n  b: 1\n  c\n",
                "a:\n  b: 1\n  c", "a: 1\nb :\n", "a: b: c\n", "a: \"x\" y\n", "a: 'x' y\n", "a: [1, 2\n", "a: }\n",
                "a: @x\n", "a: `x\n", "a: *x\n", ", b\n", ",: b\n", "a: [&\"x\"]\n", "a: [!\"b\", c]\n", "a: |\r\n  x\r\n\r\n  y\r\n",
                "\ufeffa: \"x\\_\"\nb: |\n  q\n", "a: \"\u00e9\\_\"\nb: >\n  \u00e9\n  b\n", "a: 1\n\n...\n", "--- |\n  x\n",
                "--- >\n x\n\n y\n...\n"]


def main():
    texts = list(dict.fromkeys([*blocks(), *quotes(), *escapes(), *others()]))
    rows = [{"yaml": text, **reading(text)} for text in texts]
    file = pathlib.Path(__file__).with_name("yaml_scalars.json")
    file.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
    print(len(rows), "texts,", sum("refused" in row for row in rows), "refused")


if __name__ == "__main__":
    main()
