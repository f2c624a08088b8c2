"""Writes tests/golden/models/<case>/: tiny random models and what transformers computes from them, in float64 and bf16.

Run by hand in the environment of ../requirements.txt:  python make_models.py [case ...]  [--check_trainer]
Tensor names and dtypes of the files are documented in ../README.md. Deterministic: one thread, one seed per case.
"""
import argparse
import json
import math
import pathlib
import zlib

import torch
from safetensors.torch import save_file

import oracle
import training
from cases import CASES
from oracle import IGNORE, flatten, forward_documents, forward_packed, loss_sum, shifted_targets

HERE = pathlib.Path(__file__).resolve().parent


def ints(values):
    return torch.tensor(values, dtype=torch.int32)


def reals(values):
    return torch.tensor(values, dtype=torch.float64)


def put_documents(out, prefix, documents, labels):
    out[prefix + "input_ids"] = ints(flatten(documents))
    out[prefix + "labels"] = ints(flatten(labels))
    out[prefix + "targets"] = ints(flatten(shifted_targets(labels)))
    if prefix != "train.":
        out[prefix + "position_ids"] = ints([i for d in documents for i in range(len(d))])
    out[prefix + "segment_lengths"] = ints([len(d) for d in documents])


def put_result(out, prefix, model, logits, labels, grads=lambda name: True, grad_dtype=torch.float32):
    """Logits, summed and mean loss, and the gradient of the MEAN loss."""
    targets = flatten(shifted_targets(labels))
    count = sum(t != IGNORE for t in targets)
    for p in model.parameters():
        p.grad = None
    total = loss_sum(logits, targets)
    (total / count).backward()
    out[prefix + "logits"] = logits.detach().float().contiguous()
    out[prefix + "num_targets"] = ints([count])
    out[prefix + "loss_sum"], out[prefix + "loss_mean"] = reals([total.item()]), reals([total.item() / count])
    squares = sum(float(p.grad.double().pow(2).sum()) for p in model.parameters())
    out[prefix + "grad_norm"] = reals([math.sqrt(squares)])
    for name, p in model.named_parameters():
        if grads(name):
            out[prefix + "grad." + name] = p.grad.to(grad_dtype).contiguous()


def forward_batch(vocab, generator):
    lengths = [13, 2, 7, 41]
    documents = [torch.randint(0, vocab, (n,), generator=generator).tolist() for n in lengths]
    labels = [list(d) for d in documents]  # rows 0 and 1 supervise all; the first label is never a target
    labels[2] = [IGNORE] * 6 + documents[2][6:]
    labels[3] = [IGNORE] * 9 + documents[3][9:35] + [IGNORE] * 6
    return documents, labels


def put_packed(out, model, documents, labels):
    """One row of several documents: `neat_packing` (block-diagonal) and plain `packing` (causal over the whole row)."""
    labels = [[IGNORE] + row[1:] for row in labels]
    put_documents(out, "packed.", documents, labels)
    block = forward_packed(model, documents, True)
    separate = forward_documents(model, documents)
    assert torch.allclose(block, separate, rtol=0, atol=1e-12)
    put_result(out, "packed.block.", model, block, labels, grads=lambda name: ".0.self_attn." in name)
    causal = forward_packed(model, documents, False)
    assert (causal - separate).abs().max() > 0.1
    put_result(out, "packed.causal.", model, causal, labels, grads=lambda name: ".0.self_attn." in name)


def put_generation(out, model, vocab, generator, new_tokens=24):
    """Greedy continuations by transformers' generate, with its KV cache; near ties and dull answers are redrawn."""
    for k, length in enumerate([1, 5, 17]):
        for _ in range(300):
            prompt = torch.randint(0, vocab, (1, length), generator=generator)
            full = model.generate(prompt, attention_mask=torch.ones_like(prompt), do_sample=False,
                                  max_new_tokens=new_tokens, use_cache=True)[0]
            logits = model(input_ids=full[None, :-1], use_cache=False).logits[0, length - 1:]
            assert torch.equal(logits.argmax(-1), full[length:])
            top = logits.topk(2).values
            margin = (top[:, 0] - top[:, 1]).min().item()
            if margin > 0.02 and len(set(full[length:].tolist())) >= 4:
                break
        else:
            raise RuntimeError("no prompt with a clear greedy choice")
        out[f"generate.{k}.prompt_ids"] = ints(prompt[0].tolist())
        out[f"generate.{k}.new_ids"] = ints(full[length:].tolist())
        out[f"generate.{k}.min_margin"] = reals([margin])


def put_training(out, model, windows, rates, run):
    losses, norms, final = run
    for name, values in (("loss", losses), ("grad_norm", norms), ("learning_rate", rates)):
        out["train." + name] = reals(values)
    out["train.num_targets"] = ints([training.window_targets(w) for w in windows])
    for name, p in final.items():
        out["train.final." + name] = p.float().contiguous()


def put_training_data(out, model, windows, max_norm):
    batches = flatten(windows)
    put_documents(out, "train.", flatten(d for d, _ in batches), flatten(l for _, l in batches))
    out["train.documents_per_micro_batch"] = ints([len(d) for d, _ in batches])
    out["train.accumulation"] = ints([training.ACCUMULATION])
    for name, value in (("weight_decay", training.WEIGHT_DECAY), ("max_grad_norm", max_norm),
                        ("beta1", training.BETAS[0]), ("beta2", training.BETAS[1]), ("epsilon", training.EPSILON)):
        out["train." + name] = reals([value])
    decay = training.decayed_names(model)
    assert not any("norm" in n or "bias" in n for n in decay)
    for name, _ in model.named_parameters():
        out["train.decayed." + name] = ints([int(name in decay)])


def write_configs(model, folder):
    """config.json in transformers 5's dialect (its own output) and config.v4.json, the same in transformers 4's."""
    model.config.save_pretrained(folder)
    text = json.loads((folder / "config.json").read_text())
    text["architectures"], text["dtype"] = [type(model).__name__], "float32"
    (folder / "config.json").write_text(json.dumps(text, indent=2, sort_keys=True) + "\n")
    old = {k: v for k, v in text.items() if k not in ("dtype", "rope_parameters", "layer_types")}
    scaling = dict(text["rope_parameters"])
    old.update(torch_dtype="float32", rope_theta=scaling.pop("rope_theta"), transformers_version="4.51.0",
               rope_scaling=None if scaling["rope_type"] == "default" else scaling)
    (folder / "config.v4.json").write_text(json.dumps(old, indent=2, sort_keys=True) + "\n")
    reread = type(model.config)(**{k: v for k, v in old.items() if k != "transformers_version"})
    assert reread.rope_parameters == model.config.rope_parameters, (reread.rope_parameters, text["rope_parameters"])


def relative(a, b):
    num = math.sqrt(sum(float((a[n].double() - b[n].double()).pow(2).sum()) for n in a))
    return num / math.sqrt(sum(float(b[n].double().pow(2).sum()) for n in a))


def report(case, label, run, reference):
    loss = max(abs(a - b) / abs(b) for a, b in zip(run[0], reference[0]))
    norm = max(abs(a - b) / b for a, b in zip(run[1], reference[1]))
    tensors = max(relative({n: run[2][n]}, {n: reference[2][n]}) for n in run[2])
    print(f"{case}: {label} against float64: loss {loss:.1e}, grad_norm {norm:.1e}, weights whole "
          f"{relative(run[2], reference[2]):.1e}, worst tensor {tensors:.1e}")


def make_case(case, check_trainer):
    family, config, schedule, warmup, rate, max_norm, extras = CASES[case]
    seed = zlib.crc32(case.encode())
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    folder = HERE / case
    folder.mkdir(exist_ok=True)
    model, vocab = oracle.build(family, config), config["vocab_size"]
    write_configs(model, folder)
    save_file({n: p.detach().clone() for n, p in model.named_parameters()}, folder / "model.safetensors",
              metadata={"format": "pt"})
    documents, labels = forward_batch(vocab, generator)
    windows = training.make_training_data(vocab, generator)
    rates = training.learning_rates(schedule, warmup, rate)
    out = {}
    put_documents(out, "forward.", documents, labels)
    with oracle.float64_islands():
        wide = oracle.clone_as(model, torch.float64)
        put_result(out, "forward.", wide, forward_documents(wide, documents), labels)
        if "packed" in extras:
            put_packed(out, wide, documents, labels)
        put_generation(out, wide, vocab, generator)
        reference = training.train(model, windows, rates, max_norm, torch.float64)
    put_training_data(out, model, windows, max_norm)
    put_training(out, model, windows, rates, reference)
    print(case, "norms", [round(n, 3) for n in reference[1]], "losses", [round(x, 3) for x in reference[0]])
    assert min(reference[1]) < max_norm < max(reference[1]), "clipping must act in some steps only"
    save_file(out, folder / "golden.safetensors")
    report(case, "fp32", training.train(model, windows, rates, max_norm, torch.float32), reference)
    if check_trainer:
        from check_trainer import check
        check(case, model, windows, rates, (schedule, warmup, rate, max_norm), reference)
    if "bf16" in extras:
        out, narrow = {}, oracle.clone_as(model, torch.bfloat16)
        put_result(out, "forward.", narrow, forward_documents(narrow, documents), labels, grad_dtype=torch.bfloat16)
        run = training.train(model, windows, rates, max_norm, torch.bfloat16)
        put_training(out, model, windows, rates, run)
        save_file(out, folder / "golden_bf16.safetensors")
        report(case, "bf16", run, reference)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=[])
    parser.add_argument("--check_trainer", action="store_true", help="also run HF's Trainer on the same data")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for case in args.cases or CASES:
        make_case(case, args.check_trainer)


if __name__ == "__main__":
    main()
