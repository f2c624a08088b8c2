#!/usr/bin/env python3
"""Writes chat_templates.json: what transformers renders from the chat templates that ftrun saves.

Oracle: transformers 5.23 (apply_chat_template of a tokenizer opened from a folder whose tokenizer_config.json has the
text). Run once by hand, after every change of `jinja` in configs/templates:
    python tests/golden/chat_templates.py
Conversations and tokenizer are those of templates.py. Each case holds the Jinja text too, so that the C++ test can say
that ftrun would save exactly the text that was rendered here. It reads nothing but tests/golden and configs/templates.
"""
import json
import tempfile
from pathlib import Path

import yaml
from transformers import AutoTokenizer

HERE = Path(__file__).resolve().parent
TEMPLATES = HERE.parents[1] / "configs" / "templates"
OTHER_SYSTEM = "It's \"other\":\n\\n {{ x }} caf\u00e9"


def literal(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def saved_jinja(name, options):
    """core/data/saved_template.h, written again."""
    template = yaml.safe_load((TEMPLATES / f"{name}.yaml").read_text())
    text = ""
    system = options.get("default_system", template.get("default_system", ""))
    if system:
        text += "{%- set system_message = " + literal(system) + " %}\n"
    if template.get("reasoning"):
        if not options.get("enable_thinking", True):
            text += "{%- if enable_thinking is not defined %}{% set enable_thinking = false %}{% endif %}\n"
        if options.get("preserve_thinking", False):
            text += "{%- if preserve_thinking is not defined %}{% set preserve_thinking = true %}{% endif %}\n"
    eos = template["stop_words"][0] if template.get("replace_eos") else "<|endoftext|>"
    return text + template["jinja"], eos


def open_tokenizer(jinja, eos):
    with tempfile.TemporaryDirectory() as folder:
        source = HERE / "template_tokenizer"
        config = json.loads((source / "tokenizer_config.json").read_text())
        config.update(chat_template=jinja, eos_token=eos)
        Path(folder, "tokenizer.json").write_text((source / "tokenizer.json").read_text())
        Path(folder, "tokenizer_config.json").write_text(json.dumps(config))
        tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.eos_token == eos and tokenizer.chat_template == jinja
    return tokenizer


def calls_of(content):
    calls = json.loads(content)
    calls = calls if isinstance(calls, list) else [calls]
    for call in calls:  # the API's convention, which `jinja` follows: arguments that are a string are JSON already
        call["arguments"] = json.dumps(call["arguments"]) if isinstance(call["arguments"], str) else call["arguments"]
    return [{"type": "function", "function": call} for call in calls]


def messages_of(conversation):
    roles = {"user": "user", "assistant": "assistant", "observation": "tool"}
    messages = []
    if conversation.get("system"):
        messages.append({"role": "system", "content": conversation["system"]})
    for role, content in conversation["messages"]:
        if role == "function":
            messages.append({"role": "assistant", "content": "", "tool_calls": calls_of(content)})
        else:
            messages.append({"role": roles[role], "content": content})
    return messages


def cases_of(name, options, conversations):
    jinja, eos = saved_jinja(name, options)
    tokenizer = open_tokenizer(jinja, eos)
    for key, conversation in conversations.items():
        has_calls = "tools" in conversation or any(role == "function" for role, _ in conversation["messages"])
        if key in ("thought_call", "no_tools") or has_calls and not name.startswith("qwen"):
            continue  # thoughts around a call and an empty list of tools are LLaMA-Factory's own; others have no tools
        messages = messages_of(conversation)
        tools = json.loads(conversation["tools"]) if conversation.get("tools") else None
        case = {"template": name, "options": options, "conversation": key}
        case["prompt"] = tokenizer.apply_chat_template(messages[:-1], tools=tools, tokenize=False,
                                                       add_generation_prompt=True)
        case["whole"] = tokenizer.apply_chat_template(messages, tools=tools, tokenize=False)
        ids = tokenizer.apply_chat_template(messages[:-1], tools=tools, add_generation_prompt=True, return_dict=False)
        case["prompt_ids"] = " ".join(map(str, ids))
        yield case


def main():
    conversations = json.loads((HERE / "template_goldens.json").read_text())["conversations"]
    variants = {name: [{}, {"default_system": OTHER_SYSTEM}]
                for name in ("default", "empty", "chatml", "qwen", "qwen3", "qwen3_nothink", "llama3")}
    variants["qwen"].append({"default_system": ""})
    variants["qwen3"] += [{"enable_thinking": False}, {"preserve_thinking": True},
                          {"enable_thinking": False, "preserve_thinking": True}]
    texts, cases = [], []
    for name, every in variants.items():
        for options in every:
            jinja, eos = saved_jinja(name, options)
            texts.append({"template": name, "options": options, "jinja": jinja, "eos": eos})
            cases += cases_of(name, options, conversations)
    golden = {"made_by": "transformers 5.23, tests/golden/chat_templates.py", "texts": texts, "cases": cases}
    (HERE / "chat_templates.json").write_text(json.dumps(golden, ensure_ascii=True, indent=0) + "\n")
    print(len(cases), "cases")


if __name__ == "__main__":
    main()
