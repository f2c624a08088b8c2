"""Conversations, tools and documents that the chat templates are rendered with."""

WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "Weather of a city (Wetter f\u00fcr eine Stadt) <b>&'\"",
    "parameters": {"type": "object", "properties": {
        "city": {"type": "string", "description": "e.g. \u5317\u4eac"},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
        "days": {"type": "integer", "minimum": 1, "maximum": 7.5}}, "required": ["city"]}}}
TIME = {"type": "function", "function": {"name": "now", "description": "", "parameters": {"type": "object", "properties": {}}}}
# Objects in lists in objects, a union, a reference, empty containers, a number that is not whole, true and null as defaults.
BOOK = {"type": "function", "function": {
    "name": "book_trip", "description": "Books.\nOne trip per call: \"all in\".", "strict": True,
    "parameters": {"$defs": {"leg": {"type": "object", "properties": {
        "from": {"type": "string", "pattern": "^[A-Z]{3}$"}, "hours": {"type": "number", "exclusiveMinimum": 0, "default": 1.5}},
        "required": ["from"], "additionalProperties": False}},
        "type": "object", "properties": {
            "legs": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/leg"}},
            "guest": {"type": "object", "properties": {
                "name": {"type": "string"}, "pets": {"type": "array", "items": {"type": "object", "properties": {
                    "kind": {"anyOf": [{"const": "Katze"}, {"type": "null"}], "default": None}}}}}},
            "tags": {"type": ["array", "null"], "items": {}, "default": []}, "refund": {"type": "boolean", "default": True}},
        "required": ["legs", "guest"]},
    "return": {"type": "object", "properties": {"id": {"type": "string"}}}}}
TOOLS = {"one": [WEATHER], "two": [WEATHER, TIME], "nested": [BOOK, WEATHER]}

SYSTEM = {"role": "system", "content": "You are \"terse\".\n  Obey. "}


def call(name, arguments, **more):
    return {"type": "function", "function": {"name": name, "arguments": arguments}, **more}


def user(text):
    return {"role": "user", "content": text}


def assistant(text, **more):
    return {"role": "assistant", "content": text, **more}


CONVERSATIONS = {
    "one": [user("Hi")],
    "system": [SYSTEM, user("Hi")],
    "turns": [user("What is 2+2?"), assistant("4"), user("  And 3+3?\n")],
    "answered": [SYSTEM, user("Say \u4f60\u597d \U0001f600"), assistant(" \u4f60\u597d \U0001f600\n\n"), user("caf\u00e9?"), assistant("Oui.")],
    "empty": [{"role": "system", "content": ""}, user(""), assistant(""), user("<|im_end|>{{ x }}{% y %}")],
    "call": [user("Weather in K\u00f6ln?"), assistant("", tool_calls=[call("get_weather", {"city": "K\u00f6ln", "days": 2}, id="c1")]),
             {"role": "tool", "name": "get_weather", "tool_call_id": "c1", "content": "{\"t\": 21.5}"}],
    "calls": [SYSTEM, user("Weather and time?"),
              assistant("Looking.", tool_calls=[call("get_weather", {"city": "\u5317\u4eac"}), call("now", {})]),
              {"role": "tool", "name": "get_weather", "content": "rain"}, {"role": "tool", "name": "now", "content": "12:00"},
              assistant("Rain, noon."), user("Thanks"), assistant("You're welcome")],
    "nested_calls": [SYSTEM, user("Book it."),
                     assistant("", tool_calls=[call("book_trip", {"legs": [{"from": "CGN", "hours": 2.5}, {"from": "\u5317\u4eac"}], "guest": {
                         "name": "O'Neil & <Co>", "pets": [{"kind": None}, {"kind": "Katze"}]}, "tags": [], "refund": False})]),
                     {"role": "tool", "name": "book_trip", "content": "{\"id\": \"a\\n1\", \"legs\": [{\"ok\": true}]}"},
                     assistant("Booked.", tool_calls=[call("get_weather", {"city": "K\u00f6ln"})]),
                     {"role": "tool", "name": "get_weather", "content": "21.5"}, assistant("21.5 degrees."), user("And then?")],
    "string_call": [user("Time?"), assistant("", tool_calls=[call("now", "{\"zone\": \"UTC\"}")]), {"role": "tool", "content": "12"}],
    "none_call": [user("Time?"), assistant(None, tool_calls=[call("now", {"a": None, "b": True, "c": [1, 2.0]})]), {"role": "tool", "content": "12"}],
    "thought": [user("1+1?"), assistant("2", reasoning_content="One and one.\n"), user("2+2?"), assistant("4", reasoning_content="\nTwo and two.")],
    "inline_thought": [user("1+1?"), assistant("<think>\nhm\n</think>\n\n2"), user("2+2?"), assistant("<think>x</think>4")],
    "thinking": [SYSTEM, user("1+1?"), assistant("2", thinking="Aliased.")],
    "ends_with_call": [user("Time?"), assistant("", reasoning_content="Need the clock.", tool_calls=[call("now", {})])],
    "text_parts": [{"role": "user", "content": [{"type": "text", "text": "Part one. "}, {"type": "text", "text": "Part two."}]}],
    "system_twice": [SYSTEM, user("a"), assistant("b"), {"role": "system", "content": "late"}, user("c")],
    "two_users": [user("a"), user("b")],
    "assistant_first": [assistant("a"), user("b")],
    "no_messages": [],
    "odd_role": [user("a"), {"role": "critic", "content": "b"}],
}
DOCUMENTS = [{"title": "One", "text": "First."}, {"title": "Zw\u00f6lf", "text": "Second.\nLine."}]
SPECIAL_TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
