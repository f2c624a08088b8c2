"""What the scripts that make adapters share: bases of the cases, factors that are not zero, folders as PEFT saves them.

Leaves out: which adapters (untied.py, lora.py, ../preference/make_preference.py).
"""
import math
from pathlib import Path

import torch
from safetensors.torch import load_file

import oracle
from cases import CASES

HERE = Path(__file__).resolve().parent


def load_base(case):
    """The case's model with its committed weights."""
    model = oracle.build(CASES[case][0], CASES[case][1])
    model.load_state_dict(load_file(HERE / case / "model.safetensors"), strict=False)
    model.tie_weights()
    return model


def forward_documents_of(case):
    """Token ids of the documents that the case's golden.safetensors has."""
    golden = load_file(HERE / case / "golden.safetensors")
    return [ids.tolist() for ids in golden["forward.input_ids"].split(golden["forward.segment_lengths"].tolist())]


def fill_factors(net, generator, change=lambda name, p: None):
    """Draws LoRA's factors in the order of the parameters; `change` gets every other parameter by name."""
    with torch.no_grad():
        for name, p in net.named_parameters():
            if "lora_A" in name:
                p.copy_(torch.randn(p.shape, generator=generator) / math.sqrt(p.shape[1]))
            elif "lora_B" in name:
                p.copy_(0.1 * torch.randn(p.shape, generator=generator))
            else:
                change(name, p)


def save_adapter(net, folder, base=None):
    """PEFT's files without its README; `base` as the case's path in the repository stands in adapter_config.json."""
    if base is not None:
        net.peft_config["default"].base_model_name_or_path = f"tests/golden/models/{base}"
    net.save_pretrained(folder)
    (folder / "README.md").unlink()
