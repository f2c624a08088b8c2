#!/usr/bin/env python3
"""Writes the goldens of templates, masks, row formats and packing from LLaMA-Factory itself.

Oracle: llamafactory 0.9.5 (pip install --no-deps), transformers 5.23, tokenizers 0.22 or later. Run once by hand:
    python tests/golden/templates.py
It writes, beside itself: template_tokenizer/ (a small byte-level BPE with the special tokens of all templates),
template_goldens.json, template_rows.json. The test suite reads those and never runs Python.

Differences that are on purpose, and therefore not taken from the oracle:
- cases in which the family's published chat template writes something else (published_difference.py);
- rows of `formatting: openai`: the oracle adds "detailed thinking off" to the system text; here that line is removed
  again from its output before it is compared.
"""
import json
import os
import random
import sys
import types
from pathlib import Path

os.environ["DISABLE_VERSION_CHECK"] = "1"
os.environ["LLAMAFACTORY_VERBOSITY"] = "ERROR"
sys.modules["torchaudio"] = types.ModuleType("torchaudio")  # imported for audio data only
import importlib.machinery
sys.modules["torchaudio"].__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)

import tokenizers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast
from llamafactory.data.converter import get_dataset_converter
from llamafactory.data.formatter import EmptyFormatter, StringFormatter
from llamafactory.data.parser import DatasetAttr
from llamafactory.data.processor.processor_utils import greedy_knapsack, infer_seqlen
from llamafactory.data.processor.supervised import SupervisedDatasetProcessor
from llamafactory.data.template import get_template_and_fix_tokenizer, register_template

from published_difference import restricted

HERE = Path(__file__).resolve().parent
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|start_header_id|>",
            "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>"]
CORPUS = """System: Human: Assistant: user assistant tool observation You are a helpful assistant. What is the capital of
France? The capital is Paris. Add two numbers and tell me what the result is. The result is seven. think about it
<think> </think> <tool_response> </tool_response> <tool_call> </tool_call> name arguments function type question answer"""

# A template of ours, to cover efficient_eos and token slots, which none of the shipped ones uses.
register_template(
    name="efficient_test",
    format_user=StringFormatter(slots=[{"token": "<|im_start|>"}, "user {{content}}", "\n"]),
    format_observation=StringFormatter(slots=["tool {{content}}\n"]),
    format_prefix=EmptyFormatter(slots=[{"bos_token"}]),
    efficient_eos=True,
)

TEMPLATES = ["default", "empty", "chatml", "qwen", "qwen3", "qwen3_nothink", "llama3", "efficient_test"]

U, A, O, F = "user", "assistant", "observation", "function"
TOOLS = json.dumps([{"name": "add", "description": "Add two numbers", "parameters": {"type": "object", "x": [1, 2.5]}},
                    {"type": "function", "function": {"name": "caf\u00e9"}}], ensure_ascii=False)
CONVERSATIONS = {
    "one": {"messages": [(U, "What is the capital of France?"), (A, "The capital is Paris.")]},
    "system": {"messages": [(U, "Hi {{content}} <|im_end|> there"), (A, "")], "system": "You are a helpful assistant."},
    "turns": {"messages": [(U, "Add 3 and 4"), (A, "The result is seven."), (U, "tell me what\nis two\u00e9\U0001f600"),
                           (A, "It is the number 2, the answer to the question."), (U, "Thanks"), (A, "You are it.")],
              "system": "S"},
    "thoughts": {"messages": [(U, "q1"), (A, "<think>\nabout it\n</think>\n\nanswer one"), (U, "q2"),
                              (A, "<think>\n\n</think>\n\n\n\nanswer two"), (U, "q3"), (A, "plain")]},
    "last_thought": {"messages": [(U, "q1"), (A, "plain"), (U, "q2"), (A, "<think>\nhm\n</think>\n\nx")]},
    "observation": {"messages": [(U, "q"), (A, "calling"), (O, "the tool says 7"), (A, "seven")]},
}
TOOL_CONVERSATIONS = {
    "calls": {"messages": [(U, "Add 3 and 4"), (F, '{"name": "add", "arguments": {"x": 3, "y": [4, "\u00e9"]}}'),
                           (O, "7"), (A, "seven")], "tools": TOOLS},
    "two_calls": {"messages": [(U, "both"), (F, '[{"name": "a", "arguments": {}}, {"name": "b", "arguments": "s"}]'),
                               (O, "1\n2"), (A, "done")], "tools": TOOLS, "system": "Be kind."},
    "thought_call": {"messages": [(U, "go"), (F, '<think>\nhm\n</think>\n\n{"name": "a", "arguments": {"k": null}}'),
                                  (O, "1"), (F, 'so <tool_call>{"name": "b", "arguments": {"k": true}}</tool_call>')]},
    "no_tools": {"messages": [(U, "q"), (A, "a")], "tools": "[]"},
}


class Args:
    def __init__(self, **options):
        self.template, self.tool_format, self.default_system = None, None, None
        self.train_on_prompt, self.mask_history, self.cutoff_len = False, False, 2048
        self.enable_thinking, self.preserve_thinking = True, False
        self.__dict__.update(options)


def build_tokenizer():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=360, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                  special_tokens=[AddedToken(t, special=True, normalized=False) for t in SPECIALS],
                                  show_progress=False)
    tokenizer.train_from_iterator(CORPUS.split("\n"), trainer)
    folder = HERE / "template_tokenizer"
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, indent=None))
    config = {"bos_token": "<|begin_of_text|>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>",
              "tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


def load_tokenizer():
    return PreTrainedTokenizerFast(tokenizer_file=str(HERE / "template_tokenizer" / "tokenizer.json"),
                                   bos_token="<|begin_of_text|>", eos_token="<|endoftext|>", pad_token="<|endoftext|>")


def runs(ids, labels, eos):
    """m = masked, t = label is the id, e = label is EOS at another id; run lengths."""
    assert len(ids) == len(labels)
    kinds = ["m" if y == -100 else "t" if y == x else "e" for x, y in zip(ids, labels)]
    assert all(k != "e" or y == eos for k, y in zip(kinds, labels))
    out = []
    for kind in kinds:
        if out and out[-1][0] == kind:
            out[-1][1] += 1
        else:
            out.append([kind, 1])
    return " ".join(f"{k}{n}" for k, n in out)


def messages_of(conversation):
    return [{"role": r, "content": c} for r, c in conversation["messages"]]


def golden(name, key, conversation, **options):
    tokenizer = load_tokenizer()
    args = Args(template=name, **options)
    from llamafactory.data.template import TEMPLATES as registry
    saved = (registry[name].default_system, registry[name].enable_thinking, registry[name].preserve_thinking)
    try:
        template = get_template_and_fix_tokenizer(tokenizer, args)
        processor = SupervisedDatasetProcessor(template=template, tokenizer=tokenizer, processor=None, data_args=args)
        messages = messages_of(conversation)
        ids, labels = processor._encode_data_example(messages[:-1], messages[-1:], conversation.get("system", ""),
                                                     conversation.get("tools", ""), [], [], [])
        result = {"template": name, "conversation": key, "options": options, "ids": " ".join(map(str, ids)),
                  "labels": runs(ids, labels, tokenizer.eos_token_id)}
        if not options.keys() & {"train_on_prompt", "mask_history", "cutoff_len"}:
            prompt, response = template.encode_oneturn(tokenizer, messages, conversation.get("system", ""),
                                                       conversation.get("tools", ""))
            result["prompt_ids"] = " ".join(map(str, prompt))
            result["stop_ids"] = sorted(template.get_stop_token_ids(tokenizer))
        return result
    finally:
        registry[name].default_system, registry[name].enable_thinking, registry[name].preserve_thinking = saved


def template_goldens():
    cases = []
    for name in TEMPLATES:
        variants = [{}, {"mask_history": True}]
        if name != "efficient_test":
            variants.append({"train_on_prompt": True})
        if name == "qwen3":
            variants += [{"enable_thinking": False}, {"enable_thinking": None}, {"enable_thinking": False, "mask_history": True},
                         {"mask_history": True, "preserve_thinking": True}, {"preserve_thinking": True}]
        for options in variants:
            for key, conversation in CONVERSATIONS.items():
                if key in ("thoughts", "last_thought") and name not in ("qwen3", "qwen3_nothink", "default"):
                    continue
                cases.append(golden(name, key, conversation, **options))
            for key, conversation in TOOL_CONVERSATIONS.items():
                if name.startswith("qwen") and set(options) <= {"enable_thinking"}:
                    cases.append(golden(name, key, conversation, **options))
        for key in ("one", "turns"):
            for cutoff in (2, 9, 17, 33, 40, 48, 63):
                for options in [{}, {"mask_history": True}]:
                    cases.append(golden(name, key, CONVERSATIONS[key], cutoff_len=cutoff, **options))
        cases.append(golden(name, "one", CONVERSATIONS["one"], default_system="Other."))
        cases.append(golden(name, "one", CONVERSATIONS["one"], default_system=""))
    every = {**CONVERSATIONS, **TOOL_CONVERSATIONS}
    rng = random.Random(7)
    budgets = []
    for _ in range(300):
        s, t, c = rng.randint(1, 60), rng.randint(1, 60), rng.randint(1, 90)
        budgets.append([s, t, c, *infer_seqlen(s, t, c)])
    packs = []
    for capacity in (8, 20, 64):
        lengths = [rng.randint(1, capacity) for _ in range(60)]
        packs.append({"capacity": capacity, "lengths": lengths, "rows": greedy_knapsack(list(lengths), capacity)})
    return {"made_by": f"llamafactory 0.9.5, tokenizers {tokenizers.__version__}, tests/golden/templates.py",
            "conversations": every, "cases": restricted(cases, every), "budgets": budgets, "packs": packs}


SHAREGPT = [
    {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]},
    {"conversations": [{"from": "system", "value": "s"}, {"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]},
    {"conversations": [{"from": "gpt", "value": "b"}, {"from": "human", "value": "a"}]},
    {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}, {"from": "human", "value": "c"}]},
    {"conversations": [{"from": "human", "value": "a"}, {"from": "function_call", "value": '{"name": "f", "arguments": {}}'},
                       {"from": "observation", "value": "o"}, {"from": "gpt", "value": "b"}]},
    {"conversations": [{"from": "human", "value": "a"}, {"from": "human", "value": "b"}]},
    {"conversations": []},
    {"conversations": [{"from": "user", "value": "a"}, {"from": "gpt", "value": "b"}]},
]
ALPACA = [
    {"instruction": "i", "input": "", "output": "o"},
    {"instruction": "i", "input": "n", "output": "o"},
    {"instruction": "", "input": "n", "output": "o"},
    {"instruction": "", "input": "", "output": ""},
    {"instruction": "i", "input": None, "output": "o"},
    {"instruction": "i", "input": "n", "output": None},
    {"instruction": "i", "input": "n", "output": "o", "sys": "S", "past": [["a", "b"], ["c", "d"]]},
    {"instruction": "i", "input": "n", "output": "o", "sys": "", "past": []},
]
OPENAI = [
    {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
    {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
    {"messages": [{"role": "user", "content": "a"},
                  {"role": "assistant", "content": None, "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": "{\"x\": 1}"}},
                                                                      {"type": "function", "function": {"name": "g", "arguments": {"y": [1, 2]}}}]},
                  {"role": "tool", "content": "1"}, {"role": "tool", "content": "2"}, {"role": "assistant", "content": "b"}]},
    {"messages": [{"role": "assistant", "content": "b"}]},
    {"messages": [{"role": "user", "content": "a"}]},
]


def convert(rows, attr):
    converter = get_dataset_converter(attr.formatting, attr, Args())
    out = []
    for row in rows:
        full = {"sys": None, "past": None, **row} if attr.formatting == "alpaca" else row
        result = converter(full)
        if len(result["_prompt"]) % 2 != 1 or len(result["_response"]) != 1:
            out.append({"row": row, "fits": False})
            continue
        system = result["_system"] or ""
        if attr.formatting == "openai":
            system = system.removesuffix("detailed thinking off").removesuffix("\n")
        out.append({"row": row, "fits": True, "system": system,
                    "messages": [[str(m["role"].value if hasattr(m["role"], "value") else m["role"]), m["content"]]
                                 for m in result["_prompt"] + result["_response"]]})
    return out


def row_goldens():
    alpaca = DatasetAttr("file", "x")
    alpaca_columns = DatasetAttr("file", "x")
    alpaca_columns.join({"columns": {"prompt": "instruction", "query": "input", "response": "output", "system": "sys",
                                     "history": "past"}})
    sharegpt = DatasetAttr("file", "x", formatting="sharegpt")
    openai = DatasetAttr("file", "x", formatting="openai")
    openai.join({"formatting": "openai", "columns": {"messages": "messages"},
                 "tags": {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant",
                          "observation_tag": "tool", "function_tag": "function", "system_tag": "system"}})
    tags = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
    retagged = DatasetAttr("file", "x")
    retagged.join({"formatting": "sharegpt", "columns": {"messages": "messages"}, "tags": tags})
    return [
        {"name": "alpaca", "formatting": "alpaca", "rows": convert(ALPACA, alpaca)},
        {"name": "alpaca_columns", "formatting": "alpaca",
         "columns": {"prompt": "instruction", "query": "input", "response": "output", "system": "sys", "history": "past"},
         "rows": convert(ALPACA, alpaca_columns)},
        {"name": "sharegpt", "formatting": "sharegpt", "rows": convert(SHAREGPT, sharegpt)},
        {"name": "sharegpt_tags", "formatting": "sharegpt", "columns": {"messages": "messages"}, "tags": tags,
         "rows": convert([OPENAI[0], OPENAI[3], OPENAI[4]], retagged)},
        {"name": "openai", "formatting": "openai", "rows": convert(OPENAI, openai)},
    ]


def main():
    build_tokenizer()
    (HERE / "template_goldens.json").write_text(json.dumps(template_goldens(), ensure_ascii=True, indent=0) + "\n")
    (HERE / "template_rows.json").write_text(json.dumps(row_goldens(), ensure_ascii=True, indent=0) + "\n")


if __name__ == "__main__":
    main()
