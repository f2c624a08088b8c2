"""Writes foreign_tokenizer/ and foreign_templates.json: ids and loss masks by chat templates that ftrun does not ship.

Oracle: transformers 5.23 (apply_chat_template with return_assistant_tokens_mask) and trl 1.16 (common_prefix_length, its
training templates). Run once by hand, after templates.py and jinja_templates.py:
    TOKENIZERS_PARALLELISM=false python tests/golden/foreign_templates.py
Texts of templates: foreign_templates/ (SOURCES.md), trl/chat_templates, jinja_templates.json (minimind). transformers' masks need {% generation %}, which
none of the twelve has: `marked` writes it around what an assistant adds to the prompt, by replacing text, and every rendering
is held against that of the text without marks. Where trl has a training variant that renders alike, its marks are taken.

Each case has the whole conversation's ids, the prompt's, and as ranges of tokens what is learnt of all answers (`learnt`,
transformers' mask of the marked text; see answers_begin) and of the last one (`last`, trl's completion mask). `refused` is
the first turn before which the template writes something else than it does in the whole conversation: then `learnt` is
null, and `last` if the last turn is such a one. `marked` cases are templates with marks of their own.

Where a generation prompt opens a thought that the answer does not have, trl lets an answer begin where the tokens of both
part: of an answer (or of an end token, after none) that begins with `<` as `<think>` does, tokens are lost to the prompt.
Such answers begin here with their first character; `trl_begins` are then the tokens at which trl begins them.
"""
import json
from datetime import datetime
from pathlib import Path

import transformers.utils.chat_template_utils as chat_templates
import trl
from tokenizers import AddedToken, Tokenizer
from transformers import PreTrainedTokenizerFast
from trl.data_utils import common_prefix_length

HERE = Path(__file__).resolve().parent
TRL = Path(trl.__file__).parent / "chat_templates"
NOW = datetime(2026, 3, 7, 9, 5, 2)
SPECIALS = ["<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_CALLS]", "[TOOL_RESULTS]",
            "[/TOOL_RESULTS]", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>", "<start_of_turn>", "<end_of_turn>",
            "<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>", "<\uff5cUser\uff5c>", "<\uff5cAssistant\uff5c>",
            "<\uff5cend\u2581of\u2581sentence\uff5c>", "<think>", "</think>"]

GENERATION, END = "{% generation %}", "{% endgeneration %}"
EOS = "'<\uff5cend\u2581of\u2581sentence\uff5c>'"
ROLE_TEXT = "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
GRANITE_TEXT = ("{{- '<|start_of_role|>' + message['role'] + '<|end_of_role|>' + message['content'] + "
                "'<|end_of_text|>\n' }}")


def either(header, body):
    return (header + "{% if message['role'] == 'assistant' %}" + GENERATION + body + END + "{% else %}" + body
            + "{% endif %}")


MARKS = {
    "smollm2": [(ROLE_TEXT, either("{{'<|im_start|>' + message['role'] + '\n'}}",
                                   "{{message['content'] + '<|im_end|>' + '\n'}}"))],
    "zephyr": [("{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n",
                "{{ '<|assistant|>\n' }}" + GENERATION + "{{ message['content'] + eos_token }}\n" + END)],
    "mistral_v0_1": [("{{ message['content'] + eos_token + ' ' }}",
                      GENERATION + "{{ message['content'] + eos_token + ' ' }}" + END)],
    "mistral_v0_3": [('{{- " " + message["content"]|trim + eos_token}}',
                      "{%- generation %}" + '{{- " " + message["content"]|trim + eos_token}}' + "{%- endgeneration %}"),
                     ('{{- "[TOOL_CALLS] [" }}', "{%- generation %}" + '{{- "[TOOL_CALLS] [" }}'),
                     ('{%- elif message["role"] == "assistant" %}',
                      "{%- endgeneration %}" + '{%- elif message["role"] == "assistant" %}')],
    "yi_1_5": [("{{ content + '<|im_end|>' + '\\n' }}", GENERATION + "{{ content + '<|im_end|>' + '\\n' }}" + END)],
    "granite_3_1": [(GRANITE_TEXT, either("{{- '<|start_of_role|>' + message['role'] + '<|end_of_role|>' }}",
                                          "{{- message['content'] + '<|end_of_text|>\n' }}"))],
    "deepseek_r1_distill": [("{{'<\uff5cAssistant\uff5c>' + content + " + EOS + "}}",
                             "{{'<\uff5cAssistant\uff5c>'}}" + GENERATION + "{{content + " + EOS + "}}" + END),
                            ("{{'<\uff5ctool\u2581outputs\u2581end\uff5c>' + message['content'] + " + EOS + "}}",
                             "{{'<\uff5ctool\u2581outputs\u2581end\uff5c>'}}" + GENERATION + "{{message['content'] + " + EOS + "}}" + END)],
}
MARKS["tinyllama"] = MARKS["zephyr"]
MARKS["deepseekv3"] = MARKS["deepseek_r1_distill"]
MARKS["minimind"] = [
    ("{%- if true %}\n            {{- '<|im_start|>' + message.role + '\\n<think>\\n' + ",
     "{{- '<|im_start|>' + message.role + '\\n<think>\\n' }}{%- generation %}{%- if true %}{{- "),
    ("{{- '<|im_end|>\\n' }}\n    {%- elif message.role == \"tool\" %}",
     "{{- '<|im_end|>\\n' }}{%- endgeneration %}\n    {%- elif message.role == \"tool\" %}")]
TEMPLATES = ["smollm2", "zephyr", "mistral_v0_1", "mistral_v0_3", "tinyllama", "yi_1_5", "deepseek_r1_distill", "phi3",
             "gemma", "granite_3_1", "deepseekv3", "minimind"]
TRAINING = ["gemma_training", "phi3_training", "deepseek_r1_distill_training", "qwen3_training", "qwen2_5_training",
            "llama3_training", "gptoss_training", "qwen3_instruct_2507_training"]

ADD = {"type": "function", "function": {"name": "add", "description": "Adds", "parameters": {
    "type": "object", "properties": {"x": {"type": "number"}}}}}


def call(name, arguments, key):
    return {"id": key, "type": "function", "function": {"name": name, "arguments": arguments}}


def user(text):
    return {"role": "user", "content": text}


def assistant(text, **more):
    return {"role": "assistant", "content": text, **more}


SYSTEM = {"role": "system", "content": "Be brief."}
NO_SYSTEM = {"role": "system", "content": ""}  # there, and empty: another thing than none
TURNS = [user("What is the capital of France?"), assistant("The capital is Paris."), user("And 3+4?"), assistant("seven"),
         user("Thanks \U0001f600"), assistant("You are welcome \u00e9\U0001f600")]
ROWS = {
    "one": {"messages": TURNS[:2]},
    "system": {"messages": [SYSTEM] + TURNS[:2]},
    "turns": {"messages": TURNS},
    "system_turns": {"messages": [SYSTEM] + TURNS[:4]},
    "edges": {"messages": [user(" two\n"), assistant("\n\n  indented \U0001f600"), user("ing"), assistant("ing\n"), user("."),
                           assistant(" \u4f60\u597d")]},
    "empty": {"messages": [user("say nothing"), assistant(""), user("again"), assistant("ok")]},
    "same": {"messages": [user("a"), assistant("ok"), user("a"), assistant("ok")]},
    "thoughts": {"messages": [user("q1"), assistant("<think>\nabout it\n</think>\n\nanswer one"), user("q2"),
                              assistant("<think>\nhm\n</think>\n\nanswer two")]},
    "calls": {"messages": [user("Add 3"), assistant("", tool_calls=[call("add", {"x": 3}, "abcdefghi")]),
                           {"role": "tool", "tool_call_id": "abcdefghi", "name": "add", "content": "7"}, assistant("seven")],
              "tools": [ADD]},
    "late_calls": {"messages": [user("Hi"), assistant("Hello"), user("Add 3"),
                                assistant("", tool_calls=[call("add", {"x": 3}, "abcdefghi")]),
                                {"role": "tool", "tool_call_id": "abcdefghi", "name": "add", "content": "7"},
                                assistant("seven")], "tools": [ADD]},
    "empty_system": {"messages": [NO_SYSTEM] + TURNS[:2]},
    "empty_system_turns": {"messages": [NO_SYSTEM] + TURNS[:4]},
    "empty_system_tools": {"messages": [NO_SYSTEM] + TURNS[:2], "tools": [ADD]},
    "markup": {"messages": [user("a"), assistant("<b>bold</b>")]},
    "heart": {"messages": [user("a"), assistant("<3")]},
    "like_a_thought": {"messages": [user("a"), assistant("<think")]},
    "opens_a_thought": {"messages": [user("a"), assistant("<think>open")]},
    "markup_turns": {"messages": [user("a"), assistant("<b>bold</b>"), user("b"), assistant("<think"), user("c"),
                                  assistant("<3")]},
    "opened_thought_turns": {"messages": [user("a"), assistant("<think>open"), user("b"), assistant("<b>")]},
}


class FixedClock(datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


def write_tokenizer():
    """The tokenizer of templates.py with the marks of these templates as special tokens."""
    tokenizer = Tokenizer.from_file(str(HERE / "template_tokenizer" / "tokenizer.json"))
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in SPECIALS])
    folder = HERE / "foreign_tokenizer"
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    config = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<|endoftext|>",
              "tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")


def open_tokenizer(folder):
    config = json.loads((HERE / folder / "tokenizer_config.json").read_text())
    return PreTrainedTokenizerFast(tokenizer_file=str(HERE / folder / "tokenizer.json"), bos_token=config["bos_token"],
                                   eos_token=config["eos_token"], pad_token=config["pad_token"])


def text_of(name):
    if name == "minimind":
        return json.loads((HERE / "jinja_templates.json").read_text())["templates"][name]
    own = HERE / "foreign_templates" / f"{name}.jinja"
    return (own if own.exists() else TRL / f"{name}.jinja").read_text()


def marked(name):
    if name not in MARKS:
        return text_of(f"{name}_training")
    text = text_of(name)
    for old, new in MARKS[name]:
        assert text.count(old) == 1, (name, old, text.count(old))
        text = text.replace(old, new)
    return text


def ranges(mask):
    out = []
    for index, value in enumerate(mask):
        if value and out and out[-1][1] == index:
            out[-1][1] = index + 1
        elif value:
            out.append([index, index + 1])
    return out


class Renderer:
    def __init__(self, tokenizer, template, row):
        self.tokenizer, self.template, self.tools = tokenizer, template, row.get("tools")

    def __call__(self, messages, generation=False, tokenize=False, template=None, mask=False):
        return self.tokenizer.apply_chat_template(
            messages, tools=self.tools, chat_template=template or self.template, tokenize=tokenize, return_dict=mask,
            add_generation_prompt=generation, return_assistant_tokens_mask=mask)


def turns_that_do_not_nest(render, messages):
    whole = render(messages)
    answers = [i for i, message in enumerate(messages) if message["role"] == "assistant"]
    return [turn for turn, i in enumerate(answers)
            if not whole.startswith(render(messages[:i], True))
            and not (whole.startswith(render(messages[:i])) and render(messages[:i], True).startswith(render(messages[:i])))]


def written_of(message):
    """The text of an answer as it stands in a conversation: the DeepSeeks leave out thoughts that are closed, and minimind
    writes the mark of a thought itself."""
    content = message["content"]
    return [content, content.split("</think>")[-1], content.removeprefix("<think>\n")]


def answers_begin(render, messages, learnt, ids, tokenizer, not_nested):
    """Where each answer begins among the tokens: after its prompt, where that begins the whole; otherwise (a generation
    prompt opens a thought that the answer does not have) with the first character of its text, which the marks say."""
    whole = render(messages)
    offsets = tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    answers = [i for i, message in enumerate(messages) if message["role"] == "assistant"]
    begins, trl_begins = [], []
    for turn, ((begin, _), i) in enumerate(zip(learnt, answers, strict=True)):
        prompt = render(messages[:i], True)
        trl_begins.append(common_prefix_length(render(messages[:i], True, tokenize=True), ids))
        if whole.startswith(prompt):
            begin = max(begin, next((t for t, offset in enumerate(offsets) if offset[1] > len(prompt)), len(ids)))
        elif turn not in not_nested:
            assert any(whole.startswith(text, offsets[begin][0]) for text in written_of(messages[i])), (whole, begin)
        begins.append(begin)
    return begins, trl_begins


def plain_cases(tokenizers):
    for name in TEMPLATES:
        template, with_marks = text_of(name), marked(name)
        for key, row in ROWS.items():
            messages = row["messages"]
            for folder, tokenizer in tokenizers.items():
                render = Renderer(tokenizer, template, row)
                case = {"template": name, "row": key, "tokenizer": folder}
                try:
                    whole = render(messages)
                except Exception as error:
                    yield case | {"error": f"{type(error).__name__}: {error}"}
                    continue
                ids = render(messages, tokenize=True)
                prompt = render(messages[:-1], True, tokenize=True)
                not_nested = turns_that_do_not_nest(render, messages)
                last_turn = sum(message["role"] == "assistant" for message in messages) - 1
                output = render(messages, tokenize=True, template=with_marks, mask=True)
                assert render(messages, template=with_marks) == whole, (name, key)
                assert output["input_ids"] == ids
                learnt = ranges(output["assistant_masks"])
                begins = [common_prefix_length(prompt, ids)]
                trl_begins = begins
                if len(learnt) == last_turn + 1:
                    begins, trl_begins = answers_begin(render, messages, learnt, ids, tokenizer, not_nested)
                    learnt = [[begin, end] for begin, (_, end) in zip(begins, learnt)]
                case |= {"ids": " ".join(map(str, ids)), "prompt_ids": " ".join(map(str, prompt)),
                         "learnt": None if not_nested else learnt,
                         "last": None if last_turn in not_nested else [[begins[-1], len(ids)]],
                         "refused": min(not_nested, default=None)}
                if begins != trl_begins and not not_nested:
                    case["trl_begins"] = trl_begins
                yield case


def marked_cases(tokenizers):
    for name in TRAINING:
        template = text_of(name)
        for key, row in ROWS.items():
            for folder, tokenizer in tokenizers.items():
                case = {"template": name, "row": key, "tokenizer": folder}
                render = Renderer(tokenizer, template, row)
                try:
                    output = render(row["messages"], tokenize=True, mask=True)
                except Exception as error:
                    yield case | {"error": f"{type(error).__name__}: {error}"}
                    continue
                yield case | {"ids": " ".join(map(str, output["input_ids"])), "learnt": ranges(output["assistant_masks"])}


MARK_SNIPPETS = [
    "{% for m in messages %}{{ m.role }}:{% generation %}{{ m.content }}{% endgeneration %};{% endfor %}",
    "a{%- generation -%} b {%- endgeneration -%}c",
    "\u00e9{% generation %}\U0001f600{{ messages[0].content }}{% endgeneration %}{% generation %}{% endgeneration %}",
    "{% macro answer(m) %}[{% generation %}{{ m.role }}{% endgeneration %}]{% endmacro %}x{{ answer(messages[1]) }}y",
    "x{% set text %}<{% generation %}{{ messages[1].role }}{% endgeneration %}>{% endset %}yy{{ text }}",
    "{% generation %}a{% generation %}b{% endgeneration %}c{% endgeneration %}d",
    "{% for m in messages if m.role == 'assistant' %}{% generation %}{% for c in m.content %}{{ c }}{% endfor %}{% endgeneration %}"
    "{{ loop.index }}{% endfor %}",
    "no mark",
]


def snippet_cases():
    """What the blocks of small templates have written: generation_indices, in bytes."""
    messages = [user("q \u4f60"), assistant("ans\u00e9")]
    for template in MARK_SNIPPETS:
        text, marks = chat_templates._render_with_assistant_indices(
            chat_templates._compile_jinja_template(template), messages, None, None, False)
        starts = [len(text[:i].encode()) for i in range(len(text) + 1)]
        yield {"template": template, "messages": messages, "text": text,
               "generated": [[starts[begin], starts[end]] for begin, end in marks]}


def main():
    chat_templates.datetime = FixedClock
    write_tokenizer()
    tokenizers = {folder: open_tokenizer(folder) for folder in ("foreign_tokenizer", "template_tokenizer")}
    texts = {name: text_of(name) for name in TEMPLATES + TRAINING}
    parts = [f'"made_by": "transformers 5.23, trl 1.16, tests/golden/foreign_templates.py"',
             f'"now": {json.dumps([NOW.year, NOW.month, NOW.day, NOW.hour, NOW.minute, NOW.second])}',
             f'"templates": {json.dumps(texts, ensure_ascii=False)}', f'"rows": {json.dumps(ROWS, ensure_ascii=False)}']
    for key, cases in (("snippets", snippet_cases()), ("cases", plain_cases(tokenizers)),
                       ("marked", marked_cases(tokenizers))):
        lines = [json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases]
        parts.append(f'"{key}": [\n' + ",\n".join(lines) + "\n]")
    path = HERE / "foreign_templates.json"
    path.write_text("{" + ",\n".join(parts) + "}\n")
    print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
