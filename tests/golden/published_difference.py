#!/usr/bin/env python3
"""Where ftrun follows a family's published chat template instead of LLaMA-Factory 0.9.5, which templates.py asks.

Such cases are left out of template_goldens.json; tests/golden/rendering.py has them, rendered by the published templates.
Run alone, it restricts the committed file (needs no oracle):
    python tests/golden/published_difference.py
"""
import json
import re
from pathlib import Path

HERE = Path(__file__).resolve().parent


def has_system(name, conversation, options):
    default = options.get("default_system", "yes" if name == "qwen" else "")
    return bool(conversation.get("system") or default)


def calls_differ(name, content):
    """Text before a marked call gets the line break that templates write; texts as arguments are the family's own."""
    if re.search(r"[^\n]<tool_call>", content):
        return True
    without_thought = content.split("</think>")[-1]
    calls = json.loads(re.sub(r".*<tool_call>|</tool_call>.*", "", without_thought, flags=re.S))
    calls = calls if isinstance(calls, list) else [calls]
    return name != "qwen" and any(isinstance(call["arguments"], str) for call in calls)


def ids_differ(name, conversation, options):
    """Whether the ids and masks of a case are the published template's and not LLaMA-Factory's."""
    answers = [message for message in conversation["messages"] if message[0] in ("assistant", "function")]
    keeps_history = options.get("preserve_thinking") or options.get("mask_history")
    if name == "qwen3" and len(answers) > 1 and not keeps_history:
        return True  # thoughts of earlier turns; empty ones for them
    if conversation.get("tools") and not has_system(name, conversation, options):
        return True  # line breaks between nothing and the tools; a system message for no tools
    return any(role == "function" and calls_differ(name, content) for role, content in answers)


def prompt_differs(name, conversation, options):
    """Whether a prompt is written as the conversation is trained, and LLaMA-Factory's encode_oneturn is not."""
    history = [content for role, content in conversation["messages"][:-1] if role in ("assistant", "function")]
    return name == "qwen3" and options.get("preserve_thinking") and any("think>" not in text for text in history)


def restricted(cases, conversations):
    kept = []
    for case in cases:
        asked = case["template"], conversations[case["conversation"]], case["options"]
        if ids_differ(*asked):
            continue
        if prompt_differs(*asked):
            case = {key: value for key, value in case.items() if key != "prompt_ids" and key != "stop_ids"}
        kept.append(case)
    return kept


def main():
    path = HERE / "template_goldens.json"
    golden = json.loads(path.read_text())
    before = len(golden["cases"])
    golden["cases"] = restricted(golden["cases"], golden["conversations"])
    path.write_text(json.dumps(golden, ensure_ascii=True, indent=0) + "\n")
    print(f"{len(golden['cases'])} of {before} cases")


if __name__ == "__main__":
    main()
