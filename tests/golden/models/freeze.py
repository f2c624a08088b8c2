"""Writes <case>/golden_freeze.safetensors: ten AdamW steps of make_models.py with only some parameters trained.

Run by hand in the environment of ../requirements.txt:  python freeze.py [case ...]
Only parameters in `train.final.*` are trained: the last block, and the final norm in the cases that say so.
"""
import argparse
import zlib

import torch
from safetensors.torch import load_file, save_file

import make_models
import oracle
import training
from cases import CASES

# What is trained beside the last block.
EXTRA = {"llama": [], "qwen3": ["model.norm"]}


def make_case(case):
    family, config, schedule, warmup, rate, max_norm, _ = CASES[case]
    seed = zlib.crc32(case.encode())
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = oracle.build(family, config)
    make_models.forward_batch(config["vocab_size"], generator)
    windows = training.make_training_data(config["vocab_size"], generator)
    folder = make_models.HERE / case
    documents = oracle.flatten(d for d, _ in oracle.flatten(windows))
    assert load_file(folder / "golden.safetensors")["train.input_ids"].tolist() == oracle.flatten(documents)
    for name, weights in load_file(folder / "model.safetensors").items():
        assert torch.equal(weights, dict(model.named_parameters())[name])
    prefixes = [f"model.layers.{config['num_hidden_layers'] - 1}"] + EXTRA[case]
    with oracle.float64_islands():
        run = training.train(model, windows, training.learning_rates(schedule, warmup, rate), max_norm, torch.float64,
                             lambda name: any(name.startswith(prefix + ".") for prefix in prefixes))
    out = {"train.loss": make_models.reals(run[0]), "train.grad_norm": make_models.reals(run[1])}
    for name, p in run[2].items():
        out["train.final." + name] = p.float().contiguous()
    save_file(out, folder / "golden_freeze.safetensors")
    print(case, len(run[2]), "trained tensors, losses", [round(x, 4) for x in run[0]])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=[])
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for case in args.cases or EXTRA:
        make_case(case)


if __name__ == "__main__":
    main()
