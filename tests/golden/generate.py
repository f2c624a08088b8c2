"""generation.json: greedy continuations, processed distributions and chat prompts as transformers makes them.

    oracle/bin/python generate.py        (fp32, one thread, fixed seed; ../shared for the prompts of public tokenizers)

greedy: for models/CASE, answers one by one and left-padded in one batch (both must agree, or the script fails), plain and
with repetition_penalty. distributions: the logits processors that generate(do_sample=True) applies, on random rows.
chats: apply_chat_template(tokenize=True, add_generation_prompt=True); `template` names one of jinja_templates.json, null is
the tokenizer's own.
"""
import json
import pathlib

import torch
import transformers
from transformers.generation import logits_process as processors

HERE = pathlib.Path(__file__).resolve().parent
SHARED = HERE.parents[1].parent / "shared"
CASES = ["llama", "qwen2", "qwen3"]
# On both sides of the cache's blocks of 32, and one that takes several.
LENGTHS = [3, 40, 9, 1, 70, 32]
NEW_TOKENS = 24
PENALTIES = [1.0, 1.3]
# Every prompt begins with it, so that transformers' penalty on padding (which is in its input_ids) changes nothing.
PAD = 7


def answer(model, prompts, penalty):
    width = max(map(len, prompts))
    ids = torch.tensor([[PAD] * (width - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
    out = model.generate(ids, attention_mask=mask, do_sample=False, max_new_tokens=NEW_TOKENS, pad_token_id=PAD,
                         repetition_penalty=penalty, output_scores=True, return_dict_in_generate=True)
    top = torch.stack(out.scores).topk(2).values  # after the penalty
    margin = (top[..., 0] - top[..., 1]).min().item()
    return out.sequences[:, width:].tolist(), margin


def greedy(case):
    model = transformers.AutoModelForCausalLM.from_pretrained(HERE / "models" / case, dtype=torch.float32).eval()
    assert model.generation_config.eos_token_id is None
    generator = torch.Generator().manual_seed(20)
    vocab = model.config.vocab_size
    for _ in range(300):
        prompts = [[PAD] + torch.randint(0, vocab, (n - 1,), generator=generator).tolist() for n in LENGTHS]
        batched, clear = {}, True
        for penalty in PENALTIES:
            batched[penalty], margin = answer(model, prompts, penalty)
            alone = [answer(model, [p], penalty) for p in prompts]
            clear = clear and min([margin] + [m for _, m in alone]) > 2e-3
            clear = clear and [ids[0] for ids, _ in alone] == batched[penalty]
        if clear and batched[1.0] != batched[1.3]:
            return {"prompts": prompts, "answers": [{"repetition_penalty": p, "ids": batched[p]} for p in PENALTIES]}
    raise RuntimeError("no prompts with clear greedy choices")


def distribution(logits, seen, temperature, top_k, top_p, penalty):
    scores, ids = torch.tensor([logits]), torch.tensor([seen])
    chain = processors.LogitsProcessorList()
    if penalty != 1.0:
        chain.append(processors.RepetitionPenaltyLogitsProcessor(penalty))
    if temperature != 1.0:
        chain.append(processors.TemperatureLogitsWarper(temperature))
    if top_k != 0:
        chain.append(processors.TopKLogitsWarper(top_k))
    if top_p < 1.0:
        chain.append(processors.TopPLogitsWarper(top_p))
    probabilities = chain(ids, scores).softmax(-1)[0]
    kept = probabilities.nonzero()[:, 0].tolist()
    return {"temperature": temperature, "top_k": top_k, "top_p": top_p, "repetition_penalty": penalty, "ids": kept,
            "probabilities": [probabilities[i].item() for i in kept]}


def distributions():
    generator = torch.Generator().manual_seed(21)
    rows = []
    for vocab, scale, ties in [(83, 1.0, False), (257, 2.5, False), (600, 0.7, False), (97, 2.0, True)]:
        logits = torch.randn(vocab, generator=generator) * scale
        if ties:
            logits = (logits * 4).round() / 4
        logits = logits.tolist()
        seen = torch.randint(0, vocab, (12,), generator=generator).tolist()
        settings = [(1.0, 0, 1.0, 1.0), (0.7, 0, 1.0, 1.0), (1.0, 5, 1.0, 1.0), (1.0, 0, 0.9, 1.0), (1.0, 0, 0.3, 1.0),
                    (0.95, 50, 0.7, 1.0), (1.4, 20, 0.95, 1.1), (0.2, 3, 0.5, 1.3), (1.0, 10000, 1.0, 2.0), (1.0, 1, 0.1, 1.0)]
        rows.append({"logits": logits, "seen": seen, "settings": [distribution(logits, seen, *s) for s in settings]})
    return rows


CHAT = [{"role": "system", "content": "Be brief. <b>&amp;</b>"}, {"role": "user", "content": "Add 2 and 3"},
        {"role": "assistant", "content": "5"}, {"role": "user", "content": "  and caf\u00e9 \u4f60\u597d? <|im_end|>"}]
TOOLS = [{"type": "function", "function": {"name": "add", "description": "adds", "parameters": {
    "type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}, "required": ["a", "b"]}}}]
CALL = [{"role": "user", "content": "Add 2 and 3"},
        {"role": "assistant", "content": "", "tool_calls": [
            {"type": "function", "function": {"name": "add", "arguments": {"a": 2, "b": 3}}}]},
        {"role": "tool", "content": "5"}]


def chats():
    published = json.loads((HERE / "jinja_templates.json").read_text())["templates"]
    rows = []
    for name, template in [("configs/demo/model", None), ("shared/tokenizers/minimind", None),
                           ("shared/tokenizers/qwen2.5", "qwen2_5"), ("shared/tokenizers/qwen2.5", "qwen3")]:
        folder = SHARED.parent / name if name.startswith("shared") else HERE.parents[1] / name
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        tokenizer.chat_template = published[template] if template else tokenizer.chat_template
        for messages, tools in [(CHAT[:2], None), (CHAT[1:2], None), (CHAT, None), (CHAT, TOOLS), (CALL, TOOLS)]:
            if "demo" in name and tools:
                continue  # its template knows none
            ids = tokenizer.apply_chat_template(messages, tools=tools, add_generation_prompt=True, return_dict=False)
            rows.append({"tokenizer": name, "template": template, "messages": messages, "tools": tools, "ids": ids})
    return rows


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    result = {"versions": {"torch": torch.__version__, "transformers": transformers.__version__},
              "greedy": {case: greedy(case) for case in CASES}, "distributions": distributions(), "chats": chats()}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in result.items()]
    (HERE / "generation.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
