#!/usr/bin/env python3
"""Writes model_prompts.json: prompts of rows by the model's own chat template, as predict and chat make them.

Oracle: transformers 5.23's apply_chat_template(messages, tools, add_generation_prompt=True) of the tokenizer in template_tokenizer,
with enable_thinking true, false and undefined, for every template that jinja_templates.json holds. Run once by hand:
    python tests/golden/model_prompts.py
A template that shows today's date is rendered on 7 March 2026; the test puts its own day there. A refusal is kept as null.
"""
import datetime
import json
from pathlib import Path

import transformers.utils.chat_template_utils as chat_templates
from transformers import PreTrainedTokenizerFast

HERE = Path(__file__).resolve().parent
DAY = datetime.datetime(2026, 3, 7, 9, 5, 2)


class FixedClock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return DAY


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
    "turns": [Q, {"role": "assistant", "content": "Rain."}, {"role": "user", "content": "Where?"}],
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


def main():
    chat_templates.datetime = FixedClock
    golden = json.loads((HERE / "jinja_templates.json").read_text())
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(HERE / "template_tokenizer" / "tokenizer.json"),
                                        bos_token="<|begin_of_text|>", eos_token="<|endoftext|>", pad_token="<|endoftext|>")
    cases = []
    for name, text in golden["templates"].items():
        for conversation, messages in CONVERSATIONS.items():
            for tools in [None, TOOLS] if conversation in ("question", "system") else [TOOLS if "call" in json.dumps(messages) else None]:
                texts = {str(thinking).lower(): outcome(lambda: tokenizer.apply_chat_template(
                    messages, tools=tools, chat_template=text, tokenize=False, add_generation_prompt=True,
                    **({} if thinking is None else {"enable_thinking": thinking}))) for thinking in (True, False, None)}
                cases.append({"template": name, "conversation": conversation, "tools": tools is not None,
                              "prompts": {"true": texts["true"]} | {key: value for key, value in texts.items() if value != texts["true"]}})
    result = {"made_by": "transformers 5.23, tests/golden/model_prompts.py", "conversations": CONVERSATIONS, "tools": TOOLS,
              "cases": [json.dumps(case) for case in cases]}
    (HERE / "model_prompts.json").write_text(json.dumps(result, ensure_ascii=True, indent=0) + "\n")
    refused = sum(case["prompts"]["true"] is None for case in cases)
    print(len(cases), "cases,", refused, "refused")


if __name__ == "__main__":
    main()
