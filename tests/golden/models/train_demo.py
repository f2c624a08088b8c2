"""Trains the demo (configs/sft.yaml) with transformers: what another implementation reaches on the same data. By hand.

  python train_demo.py [--seed N] [--epochs 6] [--threads 1]

Prints exact match by greedy decoding on configs/demo/eval.jsonl before, during and after training, per task at the end.
"""
import argparse
import collections
import json
import pathlib
import random
import time

import torch
import torch.nn.functional as F
import transformers

DEMO = pathlib.Path(__file__).resolve().parents[3] / "configs/demo"
PEAK_RATE, BATCH, WARMUP, DECAY, END = 3e-3, 32, 0.05, 0.1, "<|im_end|>"


def read(name):
    return [json.loads(line) for line in open(DEMO / name)]


def encode(row, tokenizer):
    """chatml as LLaMA-Factory writes it: (prompt ids, response ids)."""
    content = row["instruction"] + ("\n" + row["input"] if row["input"] else "")
    prompt = f"<|im_start|>user\n{content}{END}\n<|im_start|>assistant\n"
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in (prompt, row["output"] + END + "\n")]
    return tuple(ids)


def pad(batch):
    longest = max(len(p) + len(r) for p, r in batch)
    ids, labels, mask = (torch.full((len(batch), longest), value) for value in (0, -100, 0))
    for k, (prompt, response) in enumerate(batch):
        both = prompt + response
        ids[k, : len(both)], mask[k, : len(both)] = torch.tensor(both), 1
        labels[k, len(prompt): len(both)] = torch.tensor(response)
    return ids, labels, mask


@torch.no_grad()
def exact_match(model, rows, pairs, tokenizer):
    by_length, right, total = collections.defaultdict(list), collections.Counter(), collections.Counter()
    for k, (prompt, _) in enumerate(pairs):
        by_length[len(prompt)].append(k)
    for length, members in by_length.items():
        ids = torch.tensor([pairs[k][0] for k in members])
        out = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=16)[:, length:]
        for k, text in zip(members, tokenizer.batch_decode(out)):
            total[rows[k]["task"]] += 1
            right[rows[k]["task"]] += text.split(END)[0].strip() == rows[k]["output"]
    return sum(right.values()) / len(rows), {task: f"{right[task]}/{total[task]}" for task in sorted(total)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--lr", type=float, default=PEAK_RATE)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    random.seed(args.seed)
    tokenizer = transformers.AutoTokenizer.from_pretrained(DEMO / "model")
    model = transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.from_pretrained(DEMO / "model"))
    train, rows = [encode(r, tokenizer) for r in read("train.jsonl")], read("eval.jsonl")
    pairs = [encode(r, tokenizer) for r in rows]
    tokens = sum(len(p) + len(r) for p, r in train)
    count = sum(p.numel() for p in model.parameters())
    print(f"{count} parameters, {tokens} tokens per epoch, {6 * count * tokens * args.epochs:.2e} FLOPs", flush=True)
    decayed = transformers.Trainer.get_decay_parameter_names(None, model)
    groups = [{"params": [p for n, p in model.named_parameters() if (n in decayed) == d], "weight_decay": DECAY * d}
              for d in (True, False)]
    optimizer = torch.optim.AdamW(groups, lr=args.lr)
    per_epoch = -(-len(train) // BATCH)
    schedule = transformers.get_cosine_schedule_with_warmup(
        optimizer, int(WARMUP * per_epoch * args.epochs), per_epoch * args.epochs)
    print("initial exact match", exact_match(model.eval(), rows, pairs, tokenizer)[0], flush=True)
    start, spent = time.time(), 0.0
    for epoch in range(args.epochs):
        random.shuffle(train)
        start = time.time()
        for first in range(0, len(train), BATCH):
            ids, labels, mask = pad(train[first: first + BATCH])
            hidden = model.model(ids, attention_mask=mask, use_cache=False).last_hidden_state[:, :-1]
            keep = labels[:, 1:] != -100
            loss = F.cross_entropy(model.lm_head(hidden[keep]), labels[:, 1:][keep])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        spent += time.time() - start
        score, tasks = exact_match(model, rows, pairs, tokenizer)
        print(f"epoch {epoch + 1}: loss {loss.item():.4f}, exact match {score:.4f}, {spent:.0f} s training", flush=True)
    print(tasks)


if __name__ == "__main__":
    main()
