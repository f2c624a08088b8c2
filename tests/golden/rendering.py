#!/usr/bin/env python3
"""Writes rendering.json: every form of a row as the published chat templates and as ftrun's own `jinja` write it.

Oracle: transformers 5.23 (apply_chat_template), the published texts that trl 1.16 keeps (byte for byte those of the Hub). Masks:
what follows an assistant's header up to and including the end token; where trl has a *_training text of the template (with
generation marks) and it renders the same, transformers' assistant mask is asserted to be the same. Run once by hand, after every
change of `jinja` in configs/templates (texts are kept once, cases as JSON in a line of their own):
    python tests/golden/rendering.py
"""
import json
import re
from pathlib import Path

import trl
from transformers import PreTrainedTokenizerFast

from call_text import message_with_calls
from chat_templates import open_tokenizer, saved_jinja

HERE = Path(__file__).resolve().parent
PUBLISHED = Path(trl.__file__).parent / "chat_templates"
EMPTY = "<think>\n\n</think>\n\n"


def user(text):
    return {"role": "user", "content": text}


def says(text, **more):
    return {"role": "assistant", "content": text, **more}


def calls(*functions, content=None, **more):
    made = [{"id": f"call_{i}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for i, (name, arguments) in enumerate(functions)]
    return {"role": "assistant", "content": content, "tool_calls": made, **more}


def answers(*texts):
    return [{"role": "tool", "tool_call_id": f"call_{i}", "name": "f", "content": text} for i, text in enumerate(texts)]


TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": "weather of a \u57ce\u5e02", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer", "maximum": 7.5}}}}},
    {"type": "function", "function": {"name": "now", "description": "", "parameters": {"type": "object", "properties": {}}}}]
SYSTEM = {"role": "system", "content": "Be kind.\nAnswer."}
NO_SYSTEM = {"role": "system", "content": ""}  # there, and empty: another thing than none
OBJECT = ("get_weather", {"city": "K\u00f6ln", "days": 2, "deep": {"x": [1, 2.5, None, True, 1e16]}})
TEXT = ("get_weather", json.dumps({"city": "Oslo"}))
THOUGHT = "Let me think.\nHm."
INLINE = f"<think>\n{THOUGHT}\n</think>\n\n"
Q, A = user("Weather in Oslo?"), says("It is 4 degrees.")

# name -> messages and tools, as a row of the openai format has them.
FORMS = {
    "answer": ([Q, A], None),
    "system": ([SYSTEM, Q, A], None),
    "turns": ([Q, A, user("And now?"), says("5 degrees.")], None),
    "system, turns": ([SYSTEM, Q, A, user("And now?"), says("5 degrees."), user("Thanks"), says("Welcome")], None),
    "tools": ([Q, A], TOOLS),
    "system, tools": ([SYSTEM, Q, A], TOOLS),
    "empty tools": ([Q, A], []),
    "call as object": ([Q, calls(OBJECT), *answers("4"), A], TOOLS),
    "call as text": ([SYSTEM, Q, calls(TEXT), *answers("4"), A], TOOLS),
    "call as text, no system": ([Q, calls(TEXT), *answers("4"), A], TOOLS),
    "call without tools": ([Q, calls(OBJECT), *answers("4"), A], None),
    "call as last message": ([Q, calls(OBJECT)], TOOLS),
    "empty text beside call": ([Q, calls(OBJECT, content=""), *answers("4"), A], TOOLS),
    "text beside call": ([Q, calls(OBJECT, content="I will look it up."), *answers("4"), A], TOOLS),
    "text beside text call": ([Q, calls(TEXT, content="I will look it up."), *answers("4"), A], TOOLS),
    "parallel calls": ([Q, calls(OBJECT, ("now", {})), *answers("4", "12:00"), A], TOOLS),
    "parallel calls, text beside": ([Q, calls(TEXT, ("now", {}), content="Both."), *answers("4", "12:00"), A], TOOLS),
    "three answers": ([Q, says("wait"), *answers("1", "2", "3"), A], None),
    "call, then a turn": ([Q, calls(OBJECT), *answers("4"), A, user("Thanks"), says("Welcome")], TOOLS),
    "call, thought apart": ([Q, calls(OBJECT, reasoning_content=THOUGHT), *answers("4"), A], TOOLS),
    "call, thought in text": ([Q, calls(OBJECT, content=INLINE + "Looking."), *answers("4"), A], TOOLS),
    "call, thought and text": ([Q, calls(OBJECT, content="Looking.", reasoning_content=THOUGHT), *answers("4"), A], TOOLS),
    "chain of calls, thoughts": ([Q, calls(OBJECT, reasoning_content=THOUGHT), *answers("4"), calls(TEXT, reasoning_content="So."),
                                  *answers("5"), says("4 and 5", reasoning_content="Done.")], TOOLS),
    "chain of calls, then a turn": ([Q, calls(OBJECT, reasoning_content=THOUGHT), *answers("4"), A, user("Thanks"),
                                     says("Welcome", reasoning_content="Nice.")], TOOLS),
    "thought apart": ([Q, says("4", reasoning_content=THOUGHT)], None),
    "thought in text": ([Q, says(INLINE + "4")], None),
    "thought in text, tight": ([Q, says("<think>x</think>4")], None),
    "thoughts apart, turns": ([Q, says("4", reasoning_content=THOUGHT), user("Why?"), says("So.", reasoning_content="Hm.")], None),
    "thoughts in text, turns": ([Q, says(INLINE + "4"), user("Why?"), says("<think>\nHm.\n</think>\n\nSo.")], None),
    "thought in history only": ([Q, says(INLINE + "4"), user("Why?"), says("So.")], None),
    "thought in the last turn only": ([Q, says("4"), user("Why?"), says(INLINE + "So.")], None),
    "empty thought in text": ([Q, says(EMPTY + "4")], None),
    "empty thought apart": ([Q, says("4", reasoning_content="")], None),
    "empty thoughts, turns": ([Q, says(EMPTY + "4"), user("Why?"), says(EMPTY + "So.")], None),
    "parts": ([{"role": "user", "content": [{"type": "text", "text": "Weather "}, {"type": "text", "text": "in Oslo?"}]}, A], None),
    "parts with value": ([{"role": "user", "content": [{"type": "text", "value": "Weather in Oslo?"}], "loss_weight": 0.0},
                          {"role": "assistant", "content": [{"type": "text", "value": "It is 4 degrees."}], "loss_weight": 1.0}],
                         None),
    "empty system": ([NO_SYSTEM, Q, A], None),
    "empty system, tools": ([NO_SYSTEM, Q, A], TOOLS),
    "empty system, turns": ([NO_SYSTEM, Q, A, user("And now?"), says("5 degrees.")], None),
    "empty system, call": ([NO_SYSTEM, Q, calls(TEXT), *answers("4"), A], TOOLS),
    "empty system in parts": ([{"role": "system", "content": [{"type": "text", "text": ""}]}, Q, A], None),
    "answer is markup": ([Q, says("<b>bold</b>")], None),
    "answer is a heart": ([Q, says("<3")], None),
    "answer begins like a thought": ([Q, says("<think")], None),
    "answer opens a thought": ([Q, says("<think>open")], None),
    "answer opens a call": ([Q, says("<tool_call>")], None),
    "earlier answers are markup": ([Q, says("<b>bold</b>"), user("Why?"), says("<think"), user("And?"), says("<3")], None),
    "earlier answer opens a thought": ([Q, says("<think>open"), user("Why?"), says("So.")], None),
    "markup beside call": ([Q, calls(OBJECT, content="<b>Looking</b>"), *answers("<4>"), says("<i>4</i>")], TOOLS),
}
# The same in LLaMA-Factory's roles: [role, text], tools.
BARE_TOOLS = [tool["function"] for tool in TOOLS]
CALL = json.dumps({"name": "now", "arguments": {"zone": "UTC"}})
SHAREGPT = {
    "sharegpt call": ([("human", "Time?"), ("function_call", CALL), ("observation", "12"), ("gpt", "Noon")], BARE_TOOLS),
    "sharegpt calls": ([("human", "Time?"), ("function_call", f"[{CALL}, {CALL}]"), ("observation", "12"), ("gpt", "Noon")], TOOLS),
    "sharegpt call, thought": ([("human", "Time?"), ("function_call", INLINE + CALL), ("observation", "12"), ("gpt", "Noon")], TOOLS),
    "sharegpt call, tight thought": ([("human", "Time?"), ("function_call", f"<think>x</think>{CALL}"), ("observation", "12"),
                                      ("gpt", "Noon")], TOOLS),
    "sharegpt call, marked": ([("human", "Time?"), ("function_call", f"Now.\n<tool_call>\n{CALL}\n</tool_call>"),
                               ("observation", "12"), ("gpt", "Noon")], TOOLS),
}
# ours, published, the options of a run. The enable_thinking of a run is what a prompt is asked with.
VARIANTS = [
    ("qwen", "qwen2_5", {}), ("qwen", "qwen2_5", {"mask_history": True}),
    ("qwen3", "qwen3", {}), ("qwen3", "qwen3", {"enable_thinking": False}), ("qwen3", "qwen3", {"enable_thinking": None}),
    ("qwen3", "qwen3", {"mask_history": True}), ("qwen3", "qwen3", {"preserve_thinking": True}),
    ("qwen3", "qwen3", {"preserve_thinking": True, "enable_thinking": False}),
    ("qwen3", "qwen3", {"preserve_thinking": True, "enable_thinking": None}),
    ("qwen3_nothink", "qwen3_instruct_2507", {}), ("llama3", "llama3", {}),
    ("chatml", None, {}), ("default", None, {}), ("empty", None, {}),
]
HEADERS = {"llama3": ("<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>")}
TRAINING = {"qwen2_5": "qwen2_5_training", "qwen3_instruct_2507": "qwen3_instruct_2507_training", "llama3": "llama3_training"}


def row_of(name):
    if name in FORMS:
        messages, tools = FORMS[name]
        return {"messages": messages, "tools": tools}
    turns, tools = SHAREGPT[name]
    return {"conversations": [{"from": role, "value": text} for role, text in turns], "tools": json.dumps(tools)}


def plain(message):
    """What is asked of transformers: parts joined."""
    if isinstance(message["content"], list):
        message = message | {"content": "".join(part.get("text", part.get("value")) for part in message["content"])}
    return message


def chat_of(name):
    if name in FORMS:
        messages, tools = FORMS[name]
        return [plain(message) for message in messages], tools
    turns, tools = SHAREGPT[name]
    roles = {"human": "user", "gpt": "assistant", "observation": "tool"}
    wrapped = [tool if tool.get("type") == "function" else {"type": "function", "function": tool} for tool in tools]
    return [message_with_calls(text) if role == "function_call" else {"role": roles[role], "content": text}
            for role, text in turns], wrapped


def has_thought(message):
    return bool(message.get("reasoning_content")) or "</think>" in (message["content"] or "")


def trained_spans(text, published, options, messages):
    header, end = HEADERS.get(published, ("<|im_start|>assistant\n", "<|im_end|>\n"))
    spans = [[match.end(), text.index(end, match.end()) + len(end)] for match in re.finditer(re.escape(header), text)]
    if published == "qwen3" and options.get("enable_thinking", True) is not True:
        last = spans[-1]
        if text[last[0]:].startswith(EMPTY) and (options["enable_thinking"] is False or not has_thought(messages[-1])):
            last[0] += len(EMPTY)
    return spans[-1:] if options.get("mask_history") else spans


def runs(mask):
    out = []
    for bit in mask:
        if out and out[-1][0] == bit:
            out[-1][1] += 1
        else:
            out.append([bit, 1])
    return " ".join(f"{'t' if bit else 'm'}{count}" for bit, count in out)


def encoded(tokenizer, text, spans):
    result = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    mask = [any(begin <= offset[0] < end for begin, end in spans) for offset in result["offset_mapping"]]
    return result["input_ids"], mask


def check_against_training(tokenizer, published, messages, tools, ids, mask):
    text = (PUBLISHED / f"{TRAINING[published]}.jinja").read_text()
    result = tokenizer.apply_chat_template(messages, tools=tools or None, chat_template=text, return_dict=True,
                                           return_assistant_tokens_mask=True)
    theirs = [bool(bit) for bit in result["assistant_masks"]]
    if published == "qwen2_5":  # trl's text counts the line break of the header to the answer
        theirs = [bit and theirs[i - 1] for i, bit in enumerate(theirs)]
    assert result["input_ids"] == ids and theirs == mask, (published, messages)


def published_case(name, published, options):
    messages, tools = chat_of(name)
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(HERE / "template_tokenizer" / "tokenizer.json"),
                                        bos_token="<|begin_of_text|>", eos_token="<|endoftext|>", pad_token="<|endoftext|>")
    text = (PUBLISHED / f"{published}.jinja").read_text()
    thinking = {} if options.get("enable_thinking", True) is None else {"enable_thinking": options.get("enable_thinking", True)}
    whole = tokenizer.apply_chat_template(messages, tools=tools or None, chat_template=text, tokenize=False, **thinking)
    prompt = tokenizer.apply_chat_template(messages[:-1], tools=tools or None, chat_template=text, tokenize=False,
                                           add_generation_prompt=True, **thinking)
    ids, mask = encoded(tokenizer, whole, trained_spans(whole, published, options, messages))
    if published in TRAINING and not options:
        check_against_training(tokenizer, published, messages, tools, ids, mask)
    return {"text": whole, "prompt": prompt, "mask": runs(mask)}


def own_case(name, template, options):
    """The text that ftrun saves, asked without any variable, as its user asks."""
    messages, tools = chat_of(name)
    jinja, eos = saved_jinja(template, options)
    tokenizer = open_tokenizer(jinja, eos)
    return {"text": tokenizer.apply_chat_template(messages, tools=tools or None, tokenize=False),
            "prompt": tokenizer.apply_chat_template(messages[:-1], tools=tools or None, tokenize=False,
                                                    add_generation_prompt=True)}


def uses_tools(name):
    row = row_of(name)
    return bool(row["tools"]) or "tool_calls" in json.dumps(row) or "function_call" in json.dumps(row)


def main():
    cases, texts = [], {}
    for template, published, options in VARIANTS:
        for name in [*FORMS, *SHAREGPT]:
            if not template.startswith("qwen") and uses_tools(name):
                continue  # no form for tools
            if template == "llama3" and name == "three answers":
                published_here = None  # Meta-Llama-3 has no tools: the text writes the role's name, ours the later 'ipython'
            else:
                published_here = published
            case = {"template": template, "options": options, "form": name, "own": own_case(name, template, options)}
            if published_here:
                case["published"] = published_case(name, published_here, options)
            for rendered in (case["own"], case.get("published", {})):
                for key in ("prompt", "text"):
                    if key in rendered:
                        rendered[key] = texts.setdefault(rendered[key], len(texts))
            cases.append(case)
    golden = {"made_by": "transformers 5.23, trl 1.16, tests/golden/rendering.py",
              "rows": {name: row_of(name) for name in [*FORMS, *SHAREGPT]},
              "published": {name: (PUBLISHED / f"{name}.jinja").read_text() for _, name, _ in VARIANTS if name}, "texts": list(texts),
              "cases": [json.dumps(case) for case in cases]}
    (HERE / "rendering.json").write_text(json.dumps(golden, ensure_ascii=True, indent=0) + "\n")
    print(len(cases), "cases")


if __name__ == "__main__":
    main()
