#!/usr/bin/env python3
"""Writes preference_rows.json: pairs, labelled rows and plain text as LLaMA-Factory converts and encodes them.

Oracle: llamafactory 0.9.5 (pip install --no-deps). Run once by hand, after templates.py (its tokenizer is used):
    python tests/golden/preference_rows.py
Left out on purpose: answers by a user, which ftrun refuses and the oracle takes for the assistant's; rows whose prompt alone exceeds cutoff_len, which ftrun drops and the oracle cuts, and the tokens
that the oracle's packing of plain text drops.
"""
import json
from pathlib import Path

import templates as oracle  # sets up the environment of llamafactory
from llamafactory.data.parser import DatasetAttr
from llamafactory.data.processor.feedback import FeedbackDatasetProcessor
from llamafactory.data.processor.pairwise import PairwiseDatasetProcessor
from llamafactory.data.processor.pretrain import PretrainDatasetProcessor
from llamafactory.data.template import TEMPLATES as registry
from llamafactory.data.template import get_template_and_fix_tokenizer

HERE = Path(__file__).resolve().parent
U, A = "user", "assistant"
THOUGHT = "<think>\nabout it\n</think>\n\n"
ROWS = {
    "one": ([(U, "What is the capital of France?")], "The capital is Paris.", "Paris, I think, but the question is old."),
    "turns": ([(U, "Add 3 and 4"), (A, THOUGHT + "seven"), (U, "tell me what\nis two\u00e9\U0001f600")],
              "It is the number 2.", "two"),
    "thoughts": ([(U, "q")], THOUGHT + "answer", "plain"),
    "rejected_thought": ([(U, "q")], "plain", THOUGHT + "answer"),
    "system": ([(U, "question <|im_end|> there")], "", "x", "You are a helpful assistant."),
}
TEXTS = ["The capital is Paris. " * 3, "two\u00e9\U0001f600", "a\nb\n\n c", " think about it", "x"]


def flat(ids):
    return " ".join(map(str, ids))


def with_template(name, options, encode):
    tokenizer = oracle.load_tokenizer()
    args = oracle.Args(template=name, packing=False, **options)
    saved = (registry[name].default_system, registry[name].enable_thinking, registry[name].preserve_thinking)
    try:
        template = get_template_and_fix_tokenizer(tokenizer, args)
        return encode(template, tokenizer, args)
    finally:
        registry[name].default_system, registry[name].enable_thinking, registry[name].preserve_thinking = saved


def messages(row):
    return [{"role": role, "content": content} for role, content in row[0]]


def encoded(name, key, row, options):
    system = row[3] if len(row) > 3 else ""
    answers = [{"role": A, "content": text} for text in row[1:3]]

    def encode(template, tokenizer, args):
        pair = PairwiseDatasetProcessor(template=template, tokenizer=tokenizer, processor=None, data_args=args)
        prompt, _ = template.encode_oneturn(tokenizer, messages(row) + answers[:1], system, "")
        chosen, chosen_labels, rejected, rejected_labels = pair._encode_data_example(
            messages(row), answers, system, "", [], [], [])
        label = FeedbackDatasetProcessor(template=template, tokenizer=tokenizer, processor=None, data_args=args)
        empty = {"role": A, "content": ""}
        single, single_labels, *_ = label._encode_data_example(
            messages(row), [empty, answers[1]], [empty, answers[1]], system, "", [], [], [])
        return {"template": name, "row": key, "options": options, "prompt_tokens": len(prompt),
                "chosen": [flat(chosen), flat(chosen_labels)], "rejected": [flat(rejected), flat(rejected_labels)],
                "labelled": [flat(single), flat(single_labels)]}

    return with_template(name, options, encode)


def plain(options, add_bos):
    def encode(template, tokenizer, args):
        tokenizer.add_bos_token = add_bos
        args.packing = True
        args.cutoff_len = 10 ** 9
        examples = {"_prompt": [[{"role": U, "content": text}] for text in TEXTS]}
        processor = PretrainDatasetProcessor(template=template, tokenizer=tokenizer, processor=None, data_args=args)
        args.packing, args.cutoff_len = False, options["cutoff_len"]
        rows = processor.preprocess_dataset(examples)["input_ids"]
        args.cutoff_len = 10 ** 9
        whole = processor.preprocess_dataset(examples)["input_ids"]
        return {"options": options, "add_bos": add_bos, "rows": [flat(ids) for ids in rows],
                "stream": flat([token for ids in whole for token in ids])}

    return with_template("default", options, encode)


CONVERTED = [
    ("alpaca", True, {"prompt": "instruction", "query": "input", "chosen": "chosen", "rejected": "rejected"}, {},
     [{"instruction": "i", "input": "n", "chosen": "c", "rejected": "r"},
      {"instruction": "i", "chosen": "c", "rejected": ""}, {"instruction": "i", "chosen": "c"}]),
    ("sharegpt", True, {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"}, {},
     [{"conversations": [{"from": "human", "value": "a"}], "chosen": {"from": "gpt", "value": "c"},
       "rejected": {"from": "gpt", "value": "r"}},
      {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}, {"from": "human", "value": "d"}],
       "chosen": {"from": "gpt", "value": "c"}, "rejected": {"from": "gpt", "value": "r"}},
      {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}],
       "chosen": {"from": "gpt", "value": "c"}, "rejected": {"from": "gpt", "value": "r"}}]),
    ("sharegpt", False, {"messages": "messages", "kto_tag": "label"},
     {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"},
     [{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "label": True},
      {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "label": False}]),
    ("alpaca", False, {"prompt": "instruction", "response": "output", "kto_tag": "kto_tag"}, {},
     [{"instruction": "i", "output": "o", "kto_tag": True}, {"instruction": "i", "output": "o", "kto_tag": False}]),
]


def converted():
    groups = []
    for formatting, ranking, columns, tags, rows in CONVERTED:
        attr = DatasetAttr("file", "x.json")
        attr.join({"formatting": formatting, "ranking": ranking, "columns": columns,
                   **({"tags": tags} if tags else {})})
        out = []
        for row in rows:
            padded = {**{column: None for column in columns.values()}, **row}
            result = oracle.get_dataset_converter(formatting, attr, oracle.Args())(padded)
            answers = [m["content"] for m in result["_response"]]
            fits = len(result["_prompt"]) % 2 == 1 and len(result["_response"]) >= 2
            item = {"row": row, "fits": fits}
            if fits:
                item["prompt"] = [[str(getattr(m["role"], "value", m["role"])), m["content"]] for m in result["_prompt"]]
                item["answers"] = answers
            out.append(item)
        groups.append({"formatting": formatting, "ranking": ranking, "columns": columns, "tags": tags, "rows": out})
    return groups


def main():
    cases = []
    for name in oracle.TEMPLATES:
        variants = [{}] + ([{"enable_thinking": False}, {"preserve_thinking": True}] if name == "qwen3" else [])
        for options in variants:
            cases += [encoded(name, key, row, options) for key, row in ROWS.items()]
        for cutoff in (24, 33, 40, 48, 63):
            for key in ("one", "turns"):
                case = encoded(name, key, ROWS[key], {"cutoff_len": cutoff})
                if case["prompt_tokens"] <= cutoff:
                    cases.append(case)
    texts = [plain({"cutoff_len": cutoff}, bos) for cutoff in (5, 16, 2048) for bos in (False, True)]
    result = {"made_by": "llamafactory 0.9.5, tests/golden/preference_rows.py", "rows": ROWS, "cases": cases,
              "texts": TEXTS, "plain": texts, "converted": converted()}
    (HERE / "preference_rows.json").write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n")
    print(len(cases), "cases")


if __name__ == "__main__":
    main()
