#!/usr/bin/env python3
"""Writes model_prompts.json: prompts of rows by the model's own chat template, as predict and chat make them.

Oracle: transformers 5.23's apply_chat_template(messages, tools, add_generation_prompt=True) with enable_thinking true, false and
undefined, for every template that jinja_templates.json or foreign_templates.json holds and Qwen3-Instruct-2507's, each with the
tokenizers template_tokenizer and foreign_tokenizer (texts are kept once). Run once by hand, after foreign_templates.py:
    python tests/golden/model_prompts.py
Today is `now`. A refusal is kept as null; where two values of enable_thinking give one text, `true` stands for both.
"""
import json
from pathlib import Path

import transformers.utils.chat_template_utils as chat_templates
import trl

from foreign_templates import NOW, FixedClock, open_tokenizer

HERE = Path(__file__).resolve().parent
PUBLISHED = Path(trl.__file__).parent / "chat_templates"


def call(name, arguments, key):
    return {"id": key, "type": "function", "function": {"name": name, "arguments": arguments}}


def answer(key, name, content):
    return {"role": "tool", "tool_call_id": key, "name": name, "content": content}


TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": "d", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]
Q = {"role": "user", "content": "Weather?"}
ROME = {"city": "Rome"}
CONVERSATIONS = {
    "question": [Q],
    "system": [{"role": "system", "content": "Be brief."}, Q],
    "empty system": [{"role": "system", "content": ""}, Q],
    "turns": [Q, {"role": "assistant", "content": "Rain."}, {"role": "user", "content": "Where?"}],
    "empty system, turns": [{"role": "system", "content": ""}, Q, {"role": "assistant", "content": "Rain."},
                            {"role": "user", "content": "Where?"}],
    "markup": [Q, {"role": "assistant", "content": "<b>Rain</b>"}, {"role": "user", "content": "Why?"},
               {"role": "assistant", "content": "<think"}, {"role": "user", "content": "Where?"}],
    "opened thought": [Q, {"role": "assistant", "content": "<think>Rain."}, {"role": "user", "content": "Where?"}],
    "thought": [Q, {"role": "assistant", "content": "Rain.", "reasoning_content": "Look.\n"}, {"role": "user", "content": "Where?"}],
    "thought by another name": [Q, {"role": "assistant", "content": "Rain.", "thinking": "Look."}, {"role": "user", "content": "?"}],
    "thought in text": [Q, {"role": "assistant", "content": "<think>\nLook.\n</think>\n\nRain."}, {"role": "user", "content": "?"}],
    "call": [Q, {"role": "assistant", "content": "", "tool_calls": [call("get_weather", ROME, "abcdefgh1")]},
             answer("abcdefgh1", "get_weather", "21")],
    "call without text": [Q, {"role": "assistant", "content": None, "tool_calls": [call("get_weather", ROME, "abcdefgh1")]},
                          answer("abcdefgh1", "get_weather", "21")],
    "call, no key of text": [Q, {"role": "assistant", "tool_calls": [call("get_weather", ROME, "abcdefgh1")]},
                             answer("abcdefgh1", "get_weather", "21")],
    "text beside call": [Q, {"role": "assistant", "content": "Let me look.", "tool_calls": [call("get_weather", ROME, "abcdefgh1")]},
                         answer("abcdefgh1", "get_weather", "21")],
    "thought beside call": [Q, {"role": "assistant", "content": "Let me look.", "reasoning_content": "because",
                                "tool_calls": [call("get_weather", ROME, "abcdefgh1")]}, answer("abcdefgh1", "get_weather", "21")],
    "call as text": [Q, {"role": "assistant", "content": "", "tool_calls": [call("get_weather", json.dumps(ROME), "abcdefgh1")]},
                     answer("abcdefgh1", "get_weather", "21")],
    "two calls": [Q, {"role": "assistant", "content": "Both.", "tool_calls": [call("get_weather", ROME, "abcdefgh1"),
                                                                             call("get_weather", {"city": "\u6771\u4eac"}, "abcdefgh2")]},
                  answer("abcdefgh1", "get_weather", "21"), answer("abcdefgh2", "get_weather", "9")],
    "chain": [{"role": "system", "content": "Be brief."}, Q,
              {"role": "assistant", "content": "", "reasoning_content": "first", "tool_calls": [call("get_weather", ROME, "abcdefgh1")]},
              answer("abcdefgh1", "get_weather", "21"),
              {"role": "assistant", "content": "21 degrees", "reasoning_content": "so"}, {"role": "user", "content": "And there?"},
              {"role": "assistant", "content": "", "tool_calls": [call("get_weather", {"city": "Oslo"}, "abcdefgh2")]},
              answer("abcdefgh2", "get_weather", "4")],
}


def outcome(render):
    try:
        return render()
    except Exception:
        return None


def every_template():
    texts = {"qwen3_instruct_2507": (PUBLISHED / "qwen3_instruct_2507.jinja").read_text()}
    for name in ("foreign_templates", "jinja_templates"):
        texts |= json.loads((HERE / f"{name}.json").read_text())["templates"]
    return texts


def tools_of(conversation):
    if conversation in ("question", "system", "empty system"):
        return [None, TOOLS]
    return [TOOLS if "call" in json.dumps(CONVERSATIONS[conversation]) else None]


def prompts(tokenizer, template, conversation, tools):
    texts = {str(thinking).lower(): outcome(lambda: tokenizer.apply_chat_template(
        CONVERSATIONS[conversation], tools=tools, chat_template=template, tokenize=False, add_generation_prompt=True,
        **({} if thinking is None else {"enable_thinking": thinking}))) for thinking in (True, False, None)}
    return {"true": texts["true"]} | {key: value for key, value in texts.items() if value != texts["true"]}


def main():
    chat_templates.datetime = FixedClock
    templates, texts, cases = every_template(), {}, []
    for folder in ("template_tokenizer", "foreign_tokenizer"):
        tokenizer = open_tokenizer(folder)
        for name, template in templates.items():
            for conversation in CONVERSATIONS:
                for tools in tools_of(conversation):
                    written = prompts(tokenizer, template, conversation, tools)
                    cases.append({"template": name, "tokenizer": folder, "conversation": conversation,
                                  "tools": tools is not None,
                                  "prompts": {key: None if text is None else texts.setdefault(text, len(texts))
                                              for key, text in written.items()}})
    result = {"made_by": "transformers 5.23, trl 1.16, tests/golden/model_prompts.py",
              "now": [NOW.year, NOW.month, NOW.day, NOW.hour, NOW.minute, NOW.second], "conversations": CONVERSATIONS, "tools": TOOLS,
              "templates": {"qwen3_instruct_2507": templates["qwen3_instruct_2507"]}, "texts": list(texts),
              "cases": [json.dumps(case) for case in cases]}
    (HERE / "model_prompts.json").write_text(json.dumps(result, ensure_ascii=True, indent=0) + "\n")
    refused = sum(case["prompts"]["true"] is None for case in cases)
    print(len(templates), "templates,", len(cases), "cases,", refused, "refused,", len(texts), "texts")


if __name__ == "__main__":
    main()
