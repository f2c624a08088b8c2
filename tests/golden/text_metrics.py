#!/usr/bin/env python3
"""Writes text_metrics.json: ROUGE and BLEU-4 of predictions against labels as LLaMA-Factory 0.9.5's ComputeSimilarity.

Oracle: jieba 0.42.1, rouge_chinese 1.0.3, nltk 3.9.1 (requirements.txt), put together as train/sft/metric.py does. Run once:
    python tests/golden/text_metrics.py
Texts without Chinese characters are cut by jieba itself; the others by jieba and then into single Chinese characters, which
is how ftrun cuts them. Texts are written by hand or drawn with a fixed seed.
"""
import json
import logging
import random
from pathlib import Path

import jieba
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from rouge_chinese import Rouge

PAIRS = [
    ("", ""), ("a", ""), ("", "a"), (" ", "a"), ("\n\n", "\n"), ("a", "a"), ("ab", "ab"), ("abc", "abd"), ("abcd", "abcd"),
    ("the cat sat on the mat", "the cat sat on the mat"), ("the cat sat on the mat", "the dog sat on a mat"),
    ("the the the the", "the cat the"), ("Hello, world!", "hello world"), ("foo-bar_baz 3.14% a.b.c 1.5.2", "foo bar 3.14% 1.5"),
    ("line one\nline two\n\nline four", "line one\n\n\nline two"), ("What? Yes? No.", "What ? Yes. No?"), ("wait...... what", "wait......what"),
    ("tab\tand  two spaces\r\nend", "tab and two spaces end"), ("caf\u00e9 na\u00efve \u00fcber", "cafe na\u00efve"), ("1+1=2", "1 + 1 = 2"),
    ("\u4f60\u597d\u4e16\u754c", "\u4f60\u597d\uff0c\u4e16\u754c\uff01"), ("\u4eca\u5929\u5929\u6c14\u5f88\u597d\u3002\u6211\u4eec\u51fa\u53bb\u5427\uff1f\u597d\uff01", "\u4eca\u5929\u5929\u6c14\u4e0d\u597d\u3002\u6211\u4eec\u4e0d\u51fa\u53bb\u3002"),
    ("\u201c\u597d\u3002\u201d\u4ed6\u8bf4\u2026\u2026\u7136\u540e\u8d70\u4e86\u3002", "\u201c\u597d\uff01\u201d\uff0c\u4ed6\u8bf4\u3002"), ("mixed \u4e2d\u6587 and English \u6587\u672c123", "\u4e2d\u6587 and \u82f1\u6587 123"),
    ("\u3053\u3093\u306b\u3061\u306f \uc548\ub155", "\u3053\u3093\u3070\u3093\u306f \uc548\ub155"), ("\U0001f600\U0001f600 ok", "\U0001f600 ok"), ("a b c d e f g h", "h g f e d c b a"),
    ("x" * 40, "x" * 30), ("short", "a much longer reference text"), ("a much longer prediction text", "short"),
]


def drawn_pairs(count):
    draw = random.Random(3)
    words = ["the", "model", "answers", "42", "3.5%", "yes", "no", ",", ".", "?", "\n", "\u4f60", "\u597d", "\u4e2d\u6587", "\u3002", "......", "don't", "A+B"]
    for _ in range(count):
        label = [draw.choice(words) for _ in range(draw.randint(1, 14))]
        prediction = [word if draw.random() < 0.7 else draw.choice(words) for word in label if draw.random() < 0.9]
        yield draw.choice([" ", " ", ""]).join(prediction), " ".join(label)


def is_chinese(character):
    return "\u4e00" <= character <= "\u9fd5"


def cut(text):
    words = []
    for word in jieba.cut(text):
        if not any(map(is_chinese, word)):
            words.append(word)
            continue
        assert all(map(is_chinese, word)), word
        words.extend(word)
    return words


def scores(prediction, label):
    hypothesis, reference = cut(prediction), cut(label)
    if len(" ".join(hypothesis).split()) == 0 or len(" ".join(reference).split()) == 0:
        result = {"rouge-1": {"f": 0.0}, "rouge-2": {"f": 0.0}, "rouge-l": {"f": 0.0}}
    else:
        result = Rouge().get_scores(" ".join(hypothesis), " ".join(reference))[0]
    bleu = sentence_bleu([list(label)], list(prediction), smoothing_function=SmoothingFunction().method3)
    return [round(result[key]["f"] * 100, 4) for key in ("rouge-1", "rouge-2", "rouge-l")] + [round(bleu * 100, 4)]


def main():
    jieba.setLogLevel(logging.CRITICAL)
    pairs = PAIRS + list(drawn_pairs(120))
    lines = [json.dumps({"prediction": a, "label": b, "words": cut(a), "scores": scores(a, b)}, ensure_ascii=False) for a, b in pairs]
    path = Path(__file__).resolve().parent / "text_metrics.json"
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
