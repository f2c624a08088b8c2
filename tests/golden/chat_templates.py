#!/usr/bin/env python3
"""Writes chat_templates.json: what transformers renders from the chat templates that ftrun saves.

Oracle: transformers 5.23 (apply_chat_template of a tokenizer opened from a folder whose tokenizer_config.json has the
text). Run once by hand, after every change of `jinja` in configs/templates:
    python tests/golden/chat_templates.py
Conversations and tokenizer are those of templates.py. Each case holds the Jinja text too, so that the C++ test can say
that ftrun would save exactly the text that was rendered here. Besides tests/golden and configs/templates it reads the
published chat templates that trl keeps (byte for byte those of the Hub): which of them render as which of ours, by the
hash of their text (XXH3, without a line break at the end). Where they do, the hash is in `equal_jinja` in
configs/templates.
"""
import json
import tempfile
from pathlib import Path

import trl
import xxhash
import yaml
from transformers import AutoTokenizer

from call_text import message_with_calls

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
        thinking = {True: None, False: "false", None: "none"}[options.get("enable_thinking", True)]
        if thinking:
            text += f"{{%- if enable_thinking is not defined %}}{{% set enable_thinking = {thinking} %}}{{% endif %}}\n"
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


def messages_of(conversation):
    roles = {"user": "user", "assistant": "assistant", "observation": "tool"}
    messages = []
    if conversation.get("system"):
        messages.append({"role": "system", "content": conversation["system"]})
    for role, content in conversation["messages"]:
        if role == "function":
            messages.append(message_with_calls(content))
        else:
            messages.append({"role": roles[role], "content": content})
    return messages


def cases_of(name, options, conversations):
    jinja, eos = saved_jinja(name, options)
    tokenizer = open_tokenizer(jinja, eos)
    for key, conversation in conversations.items():
        has_calls = "tools" in conversation or any(role == "function" for role, _ in conversation["messages"])
        if has_calls and not name.startswith("qwen"):
            continue  # the others have no form for tools
        messages = messages_of(conversation)
        tools = json.loads(conversation["tools"]) if conversation.get("tools") else None
        case = {"template": name, "options": options, "conversation": key}
        case["prompt"] = tokenizer.apply_chat_template(messages[:-1], tools=tools, tokenize=False,
                                                       add_generation_prompt=True)
        case["whole"] = tokenizer.apply_chat_template(messages, tools=tools, tokenize=False)
        ids = tokenizer.apply_chat_template(messages[:-1], tools=tools, add_generation_prompt=True, return_dict=False)
        case["prompt_ids"] = " ".join(map(str, ids))
        yield case


def hash_of(jinja):
    return xxhash.xxh3_64_hexdigest(jinja.removesuffix("\n").encode())


def rendering(tokenizer, messages, tools, generation):
    try:
        return tokenizer.apply_chat_template(messages, tools=tools, tokenize=False, add_generation_prompt=generation)
    except Exception as error:  # a template's own raise_exception
        return f"refused: {error}"


def differing(published, name, conversations):
    """The conversations that `published` and our template render differently; tools and calls in the API's form."""
    jinja, eos = saved_jinja(name, {})
    theirs, ours = open_tokenizer(published, eos), open_tokenizer(jinja, eos)
    for key, conversation in conversations.items():
        with_tools = "tools" in conversation or any(role in ("function", "observation")
                                                    for role, _ in conversation["messages"])
        if with_tools and not name.startswith("qwen"):
            continue
        messages = messages_of(conversation)
        tools = [tool if tool.get("type") == "function" else {"type": "function", "function": tool}
                 for tool in json.loads(conversation.get("tools") or "[]")] or None
        parts = [(messages[:-1], True), (messages, False)]
        if any(rendering(theirs, part, tools, generation) != rendering(ours, part, tools, generation)
               for part, generation in parts):
            yield key


def published_pairs(names, conversations):
    for file in sorted((Path(trl.__file__).parent / "chat_templates").glob("*.jinja")):
        if not file.stem.startswith(("llama3", "qwen")) or "_training" in file.stem or "_vl" in file.stem:
            continue
        published = file.read_text()
        for name in names:
            yield {"published": file.stem, "hash": hash_of(published), "template": name,
                   "differing": list(differing(published, name, conversations))}


def main():
    conversations = json.loads((HERE / "template_goldens.json").read_text())["conversations"]
    variants = {name: [{}, {"default_system": OTHER_SYSTEM}]
                for name in ("default", "empty", "chatml", "qwen", "qwen3", "qwen3_nothink", "llama3")}
    variants["qwen"].append({"default_system": ""})
    variants["qwen3"] += [{"enable_thinking": False}, {"enable_thinking": None}, {"preserve_thinking": True},
                          {"enable_thinking": False, "preserve_thinking": True}]
    texts, cases = [], []
    for name, every in variants.items():
        for options in every:
            jinja, eos = saved_jinja(name, options)
            texts.append({"template": name, "options": options, "jinja": jinja, "eos": eos})
            cases += cases_of(name, options, conversations)
    for text in texts:
        text["hash"] = hash_of(text["jinja"])
    pairs = list(published_pairs(variants, conversations))
    golden = {"made_by": "transformers 5.23, trl 1.16, tests/golden/chat_templates.py", "texts": texts, "cases": cases,
              "published": pairs}
    (HERE / "chat_templates.json").write_text(json.dumps(golden, ensure_ascii=True, indent=0) + "\n")
    print(len(cases), "cases")
    for pair in pairs:
        if len(pair["differing"]) < 3:
            print(pair)


if __name__ == "__main__":
    main()
