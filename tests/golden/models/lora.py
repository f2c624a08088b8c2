"""Writes <case>/lora/: a PEFT adapter on the case's model and what PEFT computes with it, in float64.

Run by hand in the environment of ../requirements.txt:  python lora.py [case ...]
adapter_config.json and adapter_model.safetensors are PEFT's own (save_pretrained), with factors B that are not zero.
golden.safetensors has, under the adapter file's tensor names, gradients of the mean loss of the case's forward documents
(forward.grad.*), the logits with the adapter (forward.logits) and merged (merged.logits), and the ten AdamW steps of
make_models.py with only the adapter trained (train.*).
"""
import argparse
import zlib

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

import make_models
import oracle
import training
from adapters import fill_factors, forward_documents_of, load_base, save_adapter
from cases import CASES
from oracle import flatten, forward_documents, loss_sum, shifted_targets

VARIANTS = {
    "llama": dict(r=4, lora_alpha=8, target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj",
                                                     "down_proj"]),
    "qwen2": dict(r=3, lora_alpha=6, use_dora=True, target_modules=["q_proj", "v_proj", "down_proj"]),
    "qwen3_untied": dict(r=4, lora_alpha=8, use_rslora=True, target_modules=["q_proj", "up_proj"],
                         modules_to_save=["lm_head"]),
}


def file_name(name):
    """A parameter's name in PEFT's file, without its prefix."""
    name = name.replace(".default", "").replace("lora_magnitude_vector.weight", "lora_magnitude_vector")
    return name.replace("base_model.model.", "", 1).replace("modules_to_save.", "")


def adapted(model, case, generator):
    net = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **VARIANTS[case]))

    def scale(name, p):
        if "magnitude" in name:
            p.mul_(1 + 0.1 * torch.randn(p.shape, generator=generator))

    fill_factors(net, generator, scale)
    return net


def make_case(case):
    family, config, schedule, warmup, rate, max_norm, _ = CASES[case]
    seed = zlib.crc32(case.encode())
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = oracle.build(family, config)
    documents, labels = make_models.forward_batch(config["vocab_size"], generator)
    windows = training.make_training_data(config["vocab_size"], generator)
    folder = make_models.HERE / case
    for name, weights in load_file(folder / "model.safetensors").items():
        assert torch.equal(weights, dict(model.named_parameters())[name])
    net = adapted(model, case, generator)
    save_adapter(net, folder / "lora")
    trained = {n for n, p in net.named_parameters() if p.requires_grad}
    stored = load_file(folder / "lora/adapter_model.safetensors")
    assert {"base_model.model." + file_name(n) for n in trained} == set(stored)
    out = {}
    with oracle.float64_islands():
        wide = oracle.clone_as(net, torch.float64)
        for n, p in wide.named_parameters():
            p.requires_grad_(n in trained)
        targets = flatten(shifted_targets(labels))
        logits = forward_documents(wide, documents)
        (loss_sum(logits, targets) / sum(t != oracle.IGNORE for t in targets)).backward()
        out["forward.logits"] = logits.detach().float().contiguous()
        for name, p in wide.named_parameters():
            if name in trained:
                out["forward.grad." + file_name(name)] = p.grad.float().contiguous()
        run = training.train(net, windows, training.learning_rates(schedule, warmup, rate), max_norm, torch.float64,
                             lambda name: name in trained)
        with torch.no_grad():
            merged = oracle.clone_as(net, torch.float64).merge_and_unload()
            out["merged.logits"] = forward_documents(merged, documents).float().contiguous()
    out["train.loss"], out["train.grad_norm"] = make_models.reals(run[0]), make_models.reals(run[1])
    for name, p in run[2].items():
        out["train.final." + file_name(name)] = p.float().contiguous()
    save_file(out, folder / "lora/golden.safetensors")
    print(case, len(trained), "trained tensors, losses", [round(x, 4) for x in run[0]], "norms",
          [round(x, 3) for x in run[1]])


def make_pissa(case="qwen3"):
    """<case>/pissa.safetensors: what PEFT's init_lora_weights="pissa" leaves in the base, by weight name."""
    folder = make_models.HERE / case
    net = get_peft_model(load_base(case), LoraConfig(r=3, lora_alpha=6, init_lora_weights="pissa",
                                                     target_modules=["q_proj", "down_proj"]))
    save_file({n.replace("base_model.model.", "").replace("base_layer.", ""): p.detach().contiguous()
               for n, p in net.named_parameters() if "base_layer" in n}, folder / "pissa.safetensors")


def make_plain_pissa(case="qwen3"):
    """<case>/pissa_lora/: a PiSSA adapter as plain save_pretrained leaves it, for a base that PEFT takes apart anew, with
    ranks and alphas by module, and its logits on the case's forward documents."""
    folder = make_models.HERE / case
    seed = zlib.crc32(b"pissa " + case.encode())
    generator = torch.Generator().manual_seed(seed)
    net = get_peft_model(load_base(case), LoraConfig(
        task_type="CAUSAL_LM", r=3, lora_alpha=6, init_lora_weights="pissa", target_modules=r".*\.(q_proj|down_proj)",
        rank_pattern={"down_proj": 2}, alpha_pattern={r"layers\.0\..*q_proj": 5, "q_proj": 4}))
    with torch.no_grad():
        for name, p in net.named_parameters():
            if "lora_B" in name:
                p.add_(0.05 * torch.randn(p.shape, generator=generator))
    save_adapter(net, folder / "pissa_lora")
    documents = forward_documents_of(case)
    with torch.no_grad():
        logits = forward_documents(net.eval(), documents).float().contiguous()
        loaded = PeftModel.from_pretrained(load_base(case), folder / "pissa_lora").eval()
        assert torch.allclose(forward_documents(loaded, documents), logits, rtol=0, atol=1e-5)
    save_file({"forward.logits": logits}, folder / "pissa_lora/golden.safetensors")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=[])
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for case in args.cases or VARIANTS:
        make_case(case)
    if not args.cases:
        make_pissa()
        make_plain_pissa()


if __name__ == "__main__":
    main()
