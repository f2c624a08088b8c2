#!/usr/bin/env python3
"""Writes jinja_templates.json (chat templates x conversations) and jinja_snippets.json (small templates).

Oracle: transformers 5.23 (render_jinja_template, which apply_chat_template calls) on jinja2 3.1.6. Run once by hand:
    python tests/golden/jinja_templates.py
More cases than are committed, for a local run of the C++ test (FTRUN_JINJA_GOLDENS=FOLDER build/bin/jinja_test):
    python tests/golden/jinja_templates.py --folder FOLDER --all --drawn 20000 --seed 5
Texts of templates: minimind's from shared/tokenizers, the others from trl 1.16 (trl/chat_templates), which keeps those of the
Hub byte for byte. An error is kept as [class, message]. What ftrun refuses by design is not drawn: integers beyond 64 bits,
complex numbers, and what prints an address.
"""
import argparse
import datetime
import json
import re
import warnings
from pathlib import Path

import transformers.utils.chat_template_utils as chat_templates
import trl

from jinja_conversations import CONVERSATIONS, DOCUMENTS, SPECIAL_TOKENS, TOOLS
from jinja_snippets import VARIABLES, drawn_snippets, hand_snippets

HERE = Path(__file__).resolve().parent
PUBLISHED = Path(trl.__file__).parent / "chat_templates"
MAIN = ["qwen2_5", "qwen3", "llama3", "llama3_1", "llama3_2"]
OTHERS = ["qwen3_training", "qwen3_5_think", "gptoss", "deepseekv3", "gemma3"]
NOW = datetime.datetime(2026, 3, 7, 9, 5, 2)


class FixedClock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


def templates(names):
    minimind = HERE.parents[2] / "shared" / "tokenizers" / "minimind" / "tokenizer_config.json"
    if not minimind.exists():
        minimind = Path("/work/shared/tokenizers/minimind/tokenizer_config.json")
    texts = {"minimind": json.loads(minimind.read_text())["chat_template"]}
    return texts | {name: (PUBLISHED / f"{name}.jinja").read_text() for name in names}


def outcome(render):
    try:
        return {"text": render()}
    except Exception as error:
        return {"error": [type(error).__name__, str(error)]}


def inputs(is_main):
    """Conversation, tools, documents, add_generation_prompt, extra."""
    chosen = CONVERSATIONS if is_main else ["system", "turns", "calls", "thought", "empty", "no_messages"]
    for name in chosen:
        tools = [None, "two"] if "call" in name or name == "system" else [None]
        for its_tools in tools:
            for prompt in [False, True] if name in ("system", "turns", "call", "thought") else [name != "answered"]:
                yield name, its_tools, None, prompt, {}
    yield "one", "one", DOCUMENTS, True, {"enable_thinking": False}
    if is_main:
        for thinking in [True, False]:
            for name, prompt in [("nested_calls", False), ("nested_calls", True), ("turns", True)]:
                yield name, "nested", None, prompt, {"enable_thinking": thinking}
        for prompt in [False, True]:
            yield "turns", None, None, prompt, {"enable_thinking": True}
            yield "turns", None, None, prompt, {"enable_thinking": False}
        yield "one", None, None, True, {"date_string": "1 Jan 2026"}
        yield "system", "one", None, True, {"tools_in_user_message": False, "builtin_tools": ["brave_search", "code_interpreter"]}
        yield "thought", None, None, False, {"bos_token": "<other>", "preserve_thinking": True}


def chat_cases(texts):
    for name, text in texts.items():
        for conversation, tools, documents, prompt, extra in inputs(name == "minimind" or name in MAIN):
            kwargs = SPECIAL_TOKENS | extra
            result = outcome(lambda: chat_templates.render_jinja_template(
                [CONVERSATIONS[conversation]], tools=TOOLS.get(tools), documents=documents, chat_template=text,
                add_generation_prompt=prompt, **kwargs)[0][0])
            yield {"template": name, "conversation": conversation, "tools": tools, "documents": documents is not None,
                   "prompt": prompt, "extra": extra} | result


def is_refused_by_design(template, result):
    shown = result["text"] if "text" in result else result["error"][1]
    if re.search(r" at 0x[0-9a-f]+|<(class|built-in|function|bound)|missing", shown):
        return True
    if re.search(r"\d{19,}(?![\d.e])", re.sub(r"\d*\.\d*|\d+e\+?\d+", "", shown)):
        return True
    if "text" in result and re.search(r"<LoopContext|\dj\b", shown):
        return True
    return "Exceeds the limit" in shown or len(shown) > 400


def snippet_cases(drawn, seed):
    count = drawn * 2 // 3
    errors = 0
    for kind, chosen in (("hand", hand_snippets()), ("drawn", drawn_snippets(count, drawn - count, seed))):
        for template in dict.fromkeys(chosen):
            result = outcome(lambda: chat_templates._compile_jinja_template(template).render(**json.loads(json.dumps(VARIABLES))))
            if kind == "drawn" and is_refused_by_design(template, result):
                continue
            errors += kind == "drawn" and "error" in result
            if kind == "hand" or "text" in result or errors % 4 == 0:  # most of what is drawn at random fails
                yield {"template": template} | result


def write(path, data, lists):
    """One line per entry of the lists, so that changes can be read."""
    parts = [f'"{key}": {json.dumps(value, ensure_ascii=False)}' for key, value in data.items()]
    for key, entries in lists.items():
        lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
        parts.append(f'"{key}": [\n{lines}\n]')
    path.write_text("{" + ",\n".join(parts) + "}\n")
    print(path, path.stat().st_size)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=HERE)
    parser.add_argument("--all", action="store_true", help="every template that trl keeps")
    parser.add_argument("--drawn", type=int, default=900)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    chat_templates.datetime = FixedClock
    names = sorted(path.stem for path in PUBLISHED.glob("*.jinja")) if given.all else MAIN + OTHERS
    texts = templates(names)
    clock = [NOW.year, NOW.month, NOW.day, NOW.hour, NOW.minute, NOW.second]
    write(given.folder / "jinja_templates.json",
          {"source": "trl 1.16.0 chat_templates/NAME.jinja (the Hub's); minimind: tokenizer_config.json", "templates": texts,
           "conversations": CONVERSATIONS, "tools": TOOLS, "documents": DOCUMENTS, "special_tokens": SPECIAL_TOKENS, "now": clock},
          {"cases": list(chat_cases(texts))})
    write(given.folder / "jinja_snippets.json", {"variables": VARIABLES, "now": clock},
          {"cases": list(snippet_cases(given.drawn, given.seed))})


if __name__ == "__main__":
    main()
