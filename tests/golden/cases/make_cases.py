"""Writes tests/cases/NAME/golden.json: what transformers, PEFT and TRL make of the cases' inputs.

    ../../../build/bin/write_case_models MODELS            (the models and adapters that the C++ test uses too)
    oracle/bin/python make_cases.py MODELS [case ...]      (fp32, one thread)

Rendered rows are apply_chat_template's with the published templates of ../jinja_templates.json; losses and norms are
computed by training.py on rows that rows.py builds; adapters are read by PEFT. With --shared FOLDER models and numbers are
those of the shared cases: it prints them, to be held against their READMEs, and writes nothing.
"""
import argparse
import copy
import json
import pathlib
import re

import torch
import transformers
from peft import PeftModel

import rows
import training
from rows import IGNORED

HERE = pathlib.Path(__file__).resolve().parent
CASES = HERE.parents[1] / "cases"
PUBLISHED = json.loads((HERE.parent / "jinja_templates.json").read_text())["templates"]


class Made:
    """The models' folder and what is read from it."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(self.folder / "models" / "tiny")

    def model(self, name):
        return training.load(self.folder / "models" / name)

    def alpaca(self, path, cutoff=512):
        return [rows.alpaca(self.tokenizer, row, cutoff) for row in rows.read(CASES / path)]


# ---- rendered rows

SPAN = re.compile(r"(<\|im_start\|>assistant\n)(.*?<\|im_end\|>\n)", re.DOTALL)


def rendered(made, template, messages, tools=None, weights=None, masked_thought=False, **more):
    """Text, ids and loss mask of a conversation: every answer is learnt, headers are not. Parts are tokenized apart, as
    LLaMA-Factory does. weights: of the answers, in order. masked_thought: an empty thought belongs to the prompt."""
    text = made.tokenizer.apply_chat_template(messages, tools=tools, tokenize=False, chat_template=PUBLISHED.get(template),
                                              **more)
    ids, mask, at = [], [], 0
    for number, match in enumerate(SPAN.finditer(text)):
        begin = match.start(2)
        if masked_thought and match.group(2).startswith("<think>\n\n</think>\n\n"):
            begin += len("<think>\n\n</think>\n\n")
        learnt = 1 if weights is None else weights[number]
        for part, value in ((text[at:begin], 0), (text[begin:match.end()], learnt)):
            tokens = made.tokenizer.encode(part, add_special_tokens=False)
            ids += tokens
            mask += [value] * len(tokens)
        at = match.end()
    return {"text": text, "ids": ids, "loss_mask": mask}


def openai_rows(made, case, template, file="data.jsonl", **more):
    found = []
    for row in rows.read(CASES / case / file):
        tools = json.loads(row["tools"]) if isinstance(row["tools"], str) else row["tools"]
        found.append(rendered(made, template, row["messages"], tools, **more))
    return found


def without_thoughts(messages):
    messages = copy.deepcopy(messages)
    for message in messages:
        if message["role"] == "assistant":
            message["content"] = re.sub(r"<think>.*?</think>\n*", "", message["content"], flags=re.DOTALL)
    return messages


def prompts(made, case, template, file="data.jsonl"):
    """What a model is asked: everything before the last answer. template None: that of models/tiny_q3."""
    found = []
    text = PUBLISHED.get(template) or json.loads((made.folder / "models/tiny_q3/tokenizer_config.json").read_text())["chat_template"]
    for row in rows.read(CASES / case / file):
        tools = json.loads(row["tools"]) if isinstance(row["tools"], str) else row["tools"]
        found.append(made.tokenizer.apply_chat_template(row["messages"][:-1], tools=tools, tokenize=False, chat_template=text,
                                                        add_generation_prompt=True, enable_thinking=True))
    return found


def calls(case, file="data.jsonl"):
    return lambda made: {
        "qwen3": openai_rows(made, case, "qwen3", file), "qwen": openai_rows(made, case, "qwen2_5", file),
        "prompts": {"tiny_q3": prompts(made, case, None, file), "qwen3": prompts(made, case, "qwen3", file),
                    "qwen": prompts(made, case, "qwen2_5", file)}}


def b03(made):
    found = []
    for row in rows.read(CASES / "b03/data.jsonl"):
        messages = [{"role": m["role"], "content": m["content"]} for m in row["messages"]]
        found.append(rendered(made, None, messages, weights=[0, 1]))
    return {"chatml": found}


def b11(made):
    tools = [{"type": "function", "function": {
        "name": "get_weather", "description": "weather of a place",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]
    messages = [{"role": "user", "content": "Weather?"},
                {"role": "assistant", "content": "", "reasoning_content": "look it up", "tool_calls": [
                    {"type": "function", "function": {"name": "get_weather", "arguments": {"city": "Oslo"}}}]},
                {"role": "tool", "content": "4"}, {"role": "assistant", "content": "4 degrees"}]
    return {"qwen3": [rendered(made, "qwen3", messages, tools)]}


def b12(made):
    given = [row["messages"] for row in rows.read(CASES / "b12/data.jsonl")]
    last = {"weights": [0, 1]}
    return {"qwen3": [rendered(made, "qwen3", m) for m in given],
            "mask_history": [rendered(made, "qwen3", m, **last) for m in given],
            "off": [rendered(made, "qwen3", without_thoughts(m), masked_thought=True) for m in given],
            "mask_history_off": [rendered(made, "qwen3", without_thoughts(m), masked_thought=True, **last) for m in given]}


def b15(made):
    text = []
    for row in rows.read(CASES / "b15/data.jsonl"):
        messages = []
        for message in row["messages"]:
            content = message["content"]
            if isinstance(content, list):
                content = "".join(part["text"] for part in content)
            messages.append({"role": message["role"], "content": content})
        text.append(rendered(made, None, messages))
    return {"chatml": text}


def b20(made):
    return {"ids": [ids for ids, _ in made.alpaca("b20/data.jsonl", 1024)]}


# ---- losses


def sft(made, path, batches, rate=1e-4, model="tiny", **more):
    data = made.alpaca(path)
    trained = made.model(model)
    return training.train(trained, [[data[i] for i in batch] for batch in batches], training.supervised, rate, **more)


def b25(made):
    found = sft(made, "b25/data.jsonl", rows.updates(12, 4, 2, shuffle=False))
    return {"loss": found["loss"], "grad_norm": found["grad_norm"]}


def b27(made):
    good = made.alpaca("b27/good.jsonl", 32)
    evals = {name: made.alpaca(f"b27/{name}.jsonl", 32) for name in ("data", "all_long")}
    evals = {name: [row for row in data if any(l != IGNORED for l in row[1][1:])] for name, data in evals.items()}
    model = made.model("tiny")
    losses = {name: [] for name in evals}

    def judge(_):
        for name, data in evals.items():
            losses[name].append(training.evaluated(model, data))

    batches = [[good[i] for i in batch] for batch in rows.updates(len(good), 2, 1)]
    found = training.train(model, batches, training.supervised, 1e-4, "linear", each=judge)
    return {"loss": found["loss"], "eval_loss": losses}


def preference(made, path, kind, cutoff, per_update, rate, shuffle, schedule):
    pairs = [p for p in (rows.pair(made.tokenizer, row, cutoff) for row in rows.read(CASES / path)) if p]
    batches = [[pairs[i] for i in batch] for batch in rows.updates(len(pairs), per_update, 1, shuffle)]
    loss = training.pairwise(kind, made.model("tiny"))
    return training.train(made.model("tiny"), batches, loss, rate, schedule)["loss"]


def b28(made):
    return {kind: preference(made, "b28/data.jsonl", kind, 64, 2, 1e-4, True, "linear")
            for kind in ("sigmoid", "simpo", "orpo", "ipo")}


def b29(made):
    data = made.alpaca("b29/data.jsonl", 128)
    model = made.model("tiny")
    plain = training.evaluated(model, data)
    packs = []
    for sack in rows.knapsacks([len(ids) for ids, _ in data], 128):
        ids, labels, positions = [], [], []
        for number in sack:
            ids += data[number][0]
            labels += [IGNORED] + data[number][1][1:]
            positions += range(len(data[number][0]))
        packs.append((ids, labels, positions, sack))
    with torch.no_grad():
        # One row, causal over all of it; a document's first token is never a target.
        mask = lambda n: torch.ones(1, 1, n, n, dtype=torch.bool).tril()
        values = []
        for ids, labels, positions, _ in packs:
            logits = model(input_ids=torch.tensor([ids]), position_ids=torch.tensor([positions]),
                           attention_mask=mask(len(ids)), use_cache=False).logits[0]
            targets = torch.tensor(labels[1:])
            kept = targets != IGNORED
            values.append(logits[:-1][kept].log_softmax(-1).gather(1, targets[kept][:, None]))
        crossed = -torch.cat(values).mean().item()
    return {"none": plain, "packing": crossed, "packs": [sack for *_, sack in packs]}


def b30(made):
    found = {kind: preference(made, "b30/data.jsonl", kind, 512, 4, 1e-3, False, "constant") for kind in ("sigmoid", "orpo")}
    # An adapter that is trained on: the reference is the base without it, and log(2) where it is the policy's start.
    pairs = [rows.pair(made.tokenizer, row, 512) for row in rows.read(CASES / "b30/data.jsonl")][:4]
    policy = PeftModel.from_pretrained(made.model("tiny"), made.folder / "adapters" / "plain_tiny")
    with torch.no_grad():
        found["continued"] = training.pairwise("sigmoid", made.model("tiny"))(policy, pairs).item()
        found["continued_from_start"] = training.pairwise("sigmoid", policy)(policy, pairs).item()
    return found


def b31(made):
    def rates(schedule, steps=10, warmup=0, **kwargs):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-3)
        scheduler = transformers.get_scheduler(schedule, optimizer, warmup, steps, kwargs or None)
        found = []
        for _ in range(steps):
            found.append(scheduler.get_last_lr()[0])
            optimizer.step()
            scheduler.step()
        return found

    return {"both": rates("linear", warmup=2), "constant": rates("constant"), "linear": rates("linear"), "epochs_0.55": rates("linear", 6),
            "max_steps_3": rates("linear", 3), "min_lr_rate": rates("cosine_with_min_lr", warmup=1, min_lr_rate=0.1),
            "min_lr": rates("cosine_with_min_lr", min_lr=1e-5), "cosine_warmup_1": rates("cosine", warmup=1),
            "cosine_warmup_50": rates("cosine", warmup=50)}


def b34(made):
    batches = list(rows.updates(22, 4, 3))
    warmup = training.warmup_of(0.1, len(batches))
    return sft(made, "b34/data.jsonl", batches, 1e-3, schedule="cosine", warmup=warmup)


def b37(made):
    data, judged = made.alpaca("b37/data.jsonl"), made.alpaca("b37/eval.jsonl")
    model, losses = made.model("tiny"), []
    batches = [[data[i] for i in batch] for batch in rows.updates(16, 2, 6)]
    found = training.train(model, batches, training.supervised, 8e-3, "linear",
                           each=lambda step: losses.append(training.evaluated(model, judged)) if step % 2 == 0 else None)
    return {"loss": found["loss"], "eval_loss": losses + [min(losses)], "best": min(losses)}  # the best is judged again at the end


# ---- adapters


def adapter_losses(made, case, base, names):
    """First loss with the adapter beside the base, and of PEFT's merged model, on the case's rows."""
    data, found = made.alpaca(f"{case}/data.jsonl"), {}
    for name in names:
        model = PeftModel.from_pretrained(made.model(base), made.folder / "adapters" / name)
        beside = training.evaluated(model, data)
        found[name] = {"loss": beside, "merged": training.evaluated(model.merge_and_unload(), data)}
    return found


def b38(made):
    return {"base": training.evaluated(made.model("qwen2t"), made.alpaca("b38/data.jsonl")),
            **adapter_losses(made, "b38", "qwen2t", ["emb1_t", "head_t"])}


def b39(made):
    names = ["dora", "head", "minimal", "nomatch", "norm", "regex", "rslora", "transform"]
    return {"base": training.evaluated(made.model("qwen2u"), made.alpaca("b39/data.jsonl")),
            **adapter_losses(made, "b39", "qwen2u", names)}


def b52(made):
    return sft(made, "b52/data.jsonl", rows.updates(4, 2, 1), model="big", schedule="linear")


# ---- labelled rows


def kto_rows(made, name, mismatched):
    """(answer, mismatched answer, is good); `mismatched` chooses the row that the other answer is of."""
    given = [[m["content"] for m in row["messages"]] + [row["label"]] for row in rows.read(CASES / f"preference/{name}.jsonl")]
    found = []
    for i, (prompt, answer, label) in enumerate(given):
        other = given[mismatched([row[0] for row in given], i)]
        found.append((*(rows.chatml(made.tokenizer, [(prompt, text)]) for text in (answer, other[1])), label))
    return found


def nearest_other(prompts, i):
    """The nearest earlier row with another prompt, wrapping round."""
    earlier = [(i - back) % len(prompts) for back in range(1, len(prompts))]
    return next(j for j in earlier if prompts[j] != prompts[i])


def row_before(prompts, i):
    return i - 1


def preference_kto(made):
    """A policy fine-tuned on the answers, then four updates of 16 rows against the model that it came from. `row_before` is what
    must not come out for neighbours."""
    found = {}
    windows = list(rows.updates(64, 16, 1, shuffle=False))

    def policy():
        model = made.model("tiny")
        data = [row for row, *_ in kto_rows(made, "kz_sep", nearest_other)]
        training.train(model, [[data[i] for i in batch] for batch in windows], training.supervised, 1e-3)
        return model

    for key, name, choice in [("kz_adj", "kz_adj", nearest_other), ("kz_sep", "kz_sep", nearest_other),
                              ("kz_adj_row_before", "kz_adj", row_before)]:
        kl, data = [], kto_rows(made, name, choice)
        loss = training.labelled(made.model("tiny"), kl)
        batches = [[data[i] for i in batch] for batch in windows]
        found[key] = {"loss": training.train(policy(), batches, loss, 1e-5)["loss"], "kl": kl}
    return found


MAKERS = {"b01": calls("b01"), "b02": calls("b02"), "named": calls("named", "calls.jsonl"), "bytes": calls("bytes", "tool_call_with_content.jsonl"), "b03": b03, "b11": b11, "b12": b12, "b15": b15, "b20": b20, "b25": b25, "b27": b27, "b28": b28,
          "b29": b29, "b30": b30, "b31": b31, "b34": b34, "b37": b37, "b38": b38, "b39": b39, "b52": b52, "preference": preference_kto}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("models")
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--shared", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    made = Made(arguments.models)
    for case in arguments.cases or MAKERS:
        result = MAKERS[case](made)
        if arguments.shared:
            print(case, json.dumps(result)[:1500])
            continue
        lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in result.items()]
        made_by = f"tests/golden/cases/make_cases.py, torch {torch.__version__}, transformers {transformers.__version__}"
        (CASES / case / "golden.json").write_text('{"made_by": ' + json.dumps(made_by) + ",\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
