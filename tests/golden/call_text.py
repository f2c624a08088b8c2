"""Tool calls that a row writes as text, as the message of chat templates that they are: core/data/call_text.h again."""
import json
import re


def calls_of(text):
    calls = json.loads(text)
    calls = calls if isinstance(calls, list) else [calls]
    return [{"type": "function", "function": {"name": call["name"], "arguments": call["arguments"]}} for call in calls]


def message_with_calls(text):
    marked = re.search(r"<tool_call>.*</tool_call>", text, flags=re.S)
    if marked:
        content = text[:marked.start()]
        calls = [call for one in re.findall(r"<tool_call>(.*?)</tool_call>", text, flags=re.S) for call in calls_of(one)]
    else:
        thought = re.match(r".*?</think>[ \t\r\n]*", text, flags=re.S) if text.lstrip()[:1] not in "{[" else None
        content = thought.group(0) if thought else ""
        calls = calls_of(text[len(content):])
    return {"role": "assistant", "content": content.removesuffix("\n"), "tool_calls": calls}
