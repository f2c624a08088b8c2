"""Writes qwen3/untied_lora/ and qwen3/embedding_lora/: PEFT adapters on a tied base that hold two different tensors for
embedding and head, or the embedding's alone, and the logits that PEFT computes with base and adapter, in float64; and
qwen3/config.untied.json, the base's config.json with tie_word_embeddings false.

Run by hand in the environment of ../requirements.txt:  python untied.py
grown_lora/ is an adapter of the same base with three ids more, as PEFT saves it: with copies inside its wrapper.
"""
import json
import math
import os
import shutil
import zlib

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

import make_models
import oracle
from cases import CASES
from oracle import forward_documents

CASE = "qwen3"
FOLDER = make_models.HERE / CASE
VARIANTS = {"untied_lora": ["embed_tokens", "lm_head"], "embedding_lora": ["embed_tokens"]}


def base():
    model = oracle.build(CASES[CASE][0], CASES[CASE][1])
    model.load_state_dict(load_file(FOLDER / "model.safetensors"), strict=False)
    model.tie_weights()
    return model


def adapted(model, modules, seed):
    generator = torch.Generator().manual_seed(seed)
    net = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=2, lora_alpha=4, target_modules=["q_proj"],
                                           modules_to_save=modules))
    with torch.no_grad():
        for name, p in net.named_parameters():
            if "lora_A" in name:
                p.copy_(torch.randn(p.shape, generator=generator) / math.sqrt(p.shape[1]))
            elif "lora_B" in name:
                p.copy_(0.1 * torch.randn(p.shape, generator=generator))
            elif "modules_to_save" in name:
                p.mul_(1 + 0.2 * torch.randn(p.shape, generator=generator))
    net.peft_config["default"].base_model_name_or_path = f"tests/golden/models/{CASE}"
    return net


def save(net, name):
    shutil.rmtree(FOLDER / name, ignore_errors=True)
    net.save_pretrained(FOLDER / name)
    (FOLDER / name / "README.md").unlink()


def logits_of(model, name):
    golden = load_file(FOLDER / "golden.safetensors")
    documents = [ids.tolist() for ids in golden["forward.input_ids"].split(golden["forward.segment_lengths"].tolist())]
    with torch.no_grad(), oracle.float64_islands():
        loaded = PeftModel.from_pretrained(model, FOLDER / name).eval()
        return forward_documents(oracle.clone_as(loaded, torch.float64), documents).float().contiguous()


def main():
    torch.set_num_threads(1)
    os.chdir(make_models.HERE.parents[2])  # PEFT looks up the base's vocabulary by base_model_name_or_path
    config = json.loads((FOLDER / "config.json").read_text()) | {"tie_word_embeddings": False}
    (FOLDER / "config.untied.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    for name, modules in VARIANTS.items():
        save(adapted(base(), modules, zlib.crc32(name.encode())), name)
        logits = logits_of(base(), name)
        save_file({"forward.logits": logits}, FOLDER / name / "golden.safetensors")
        print(name, sorted(load_file(FOLDER / name / "adapter_model.safetensors")), logits.abs().max().item())
    torch.manual_seed(3)
    grown = base()
    grown.resize_token_embeddings(grown.config.vocab_size + 3)
    save(adapted(grown, ["embed_tokens", "lm_head"], 5), "grown_lora")
    print("grown_lora", {k: list(v.shape) for k, v in
                         load_file(FOLDER / "grown_lora/adapter_model.safetensors").items() if "layers" not in k})


if __name__ == "__main__":
    main()
