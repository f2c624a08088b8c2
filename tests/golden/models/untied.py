"""Writes qwen3/untied_lora/ and qwen3/embedding_lora/: PEFT adapters on a tied base that hold two different tensors for
embedding and head, or the embedding's alone, and the logits that PEFT computes with base and adapter, in float64; and
qwen3/config.untied.json, the base's config.json with tie_word_embeddings false.

Run by hand in the environment of ../requirements.txt:  python untied.py
grown_lora/ is an adapter of the same base with three ids more, as PEFT saves it: with copies inside its wrapper.
"""
import json
import os
import shutil
import zlib

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

import make_models
import oracle
from adapters import fill_factors, forward_documents_of, load_base, save_adapter
from oracle import forward_documents

CASE = "qwen3"
FOLDER = make_models.HERE / CASE
VARIANTS = {"untied_lora": ["embed_tokens", "lm_head"], "embedding_lora": ["embed_tokens"]}


def adapted(model, modules, seed):
    generator = torch.Generator().manual_seed(seed)
    net = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=2, lora_alpha=4, target_modules=["q_proj"],
                                           modules_to_save=modules))

    def part(name, p):
        if "modules_to_save" in name:
            p.mul_(1 + 0.2 * torch.randn(p.shape, generator=generator))

    fill_factors(net, generator, part)
    return net


def save(net, name):
    shutil.rmtree(FOLDER / name, ignore_errors=True)
    save_adapter(net, FOLDER / name, CASE)


def logits_of(model, name):
    with torch.no_grad(), oracle.float64_islands():
        loaded = PeftModel.from_pretrained(model, FOLDER / name).eval()
        return forward_documents(oracle.clone_as(loaded, torch.float64), forward_documents_of(CASE)).float().contiguous()


def main():
    torch.set_num_threads(1)
    os.chdir(make_models.HERE.parents[2])  # PEFT looks up the base's vocabulary by base_model_name_or_path
    config = json.loads((FOLDER / "config.json").read_text()) | {"tie_word_embeddings": False}
    (FOLDER / "config.untied.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    for name, modules in VARIANTS.items():
        save(adapted(load_base(CASE), modules, zlib.crc32(name.encode())), name)
        logits = logits_of(load_base(CASE), name)
        save_file({"forward.logits": logits}, FOLDER / name / "golden.safetensors")
        print(name, sorted(load_file(FOLDER / name / "adapter_model.safetensors")), logits.abs().max().item())
    torch.manual_seed(3)
    grown = load_base(CASE)
    grown.resize_token_embeddings(grown.config.vocab_size + 3)
    save(adapted(grown, ["embed_tokens", "lm_head"], 5), "grown_lora")
    print("grown_lora", {k: list(v.shape) for k, v in
                         load_file(FOLDER / "grown_lora/adapter_model.safetensors").items() if "layers" not in k})


if __name__ == "__main__":
    main()
