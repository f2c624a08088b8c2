"""Makes tests/golden/safetensors/: files of the Python safetensors library and of transformers for tests/io.

Run with safetensors 0.8.0, torch 2.13, transformers 5.23, numpy; the output is committed, tests never run this.
    python tests/golden/safetensors_files.py
"""
import json
import pathlib
import shutil

import numpy as np
import torch
import transformers
from huggingface_hub import save_torch_state_dict
from safetensors.torch import save_file

OUT = pathlib.Path(__file__).parent / "safetensors"
SIZES = {torch.bool: 1, torch.uint8: 1, torch.int8: 1, torch.float8_e5m2: 1, torch.float8_e4m3fn: 1, torch.int16: 2,
         torch.uint16: 2, torch.float16: 2, torch.bfloat16: 2, torch.int32: 4, torch.uint32: 4, torch.float32: 4,
         torch.float64: 8, torch.int64: 8, torch.uint64: 8}


def patterned(dtype, shape, salt):
    """Tensor whose byte i is (i * 7 + salt) % 251, or % 2 for bool. tests/io/golden_test.cpp makes the same."""
    count = int(np.prod(shape, dtype=np.int64)) * SIZES[dtype]
    values = (np.arange(count) * 7 + salt) % (2 if dtype == torch.bool else 251)
    return torch.from_numpy(values.astype(np.uint8)).view(dtype).reshape(shape)


def write_mixed():
    tensors = {f"each.{str(dtype).split('.')[1]}": patterned(dtype, (2, 3), i) for i, dtype in enumerate(SIZES)}
    tensors["scalar"] = patterned(torch.float32, (1,), 20).reshape(())
    tensors["empty"] = torch.zeros((0, 4), dtype=torch.bfloat16)
    tensors['odd "name"\\\n\u00e9\u4e2d'] = patterned(torch.float16, (5,), 21)
    save_file(tensors, OUT / "mixed.safetensors", metadata={"format": "pt"})
    save_file({"x": patterned(torch.float32, (3,), 1)}, OUT / "no_metadata.safetensors")


def write_sharded():
    folder = OUT / "sharded"
    folder.mkdir()
    state = {}
    for layer in range(3):
        state[f"model.layers.{layer}.mlp.weight"] = patterned(torch.bfloat16, (8, 6), layer)
        state[f"model.layers.{layer}.norm.weight"] = patterned(torch.float32, (6,), 10 + layer)
    state["model.embed.weight"] = patterned(torch.bfloat16, (50, 6), 30)
    save_torch_state_dict(state, folder, filename_pattern="model{suffix}.safetensors", max_shard_size=250)


def write_rounding():
    """float32 and float64 bit patterns with what torch and numpy round them to."""
    rng = np.random.default_rng(7)
    bits = rng.integers(0, 2**32, 3000, dtype=np.uint32)
    ordinary = rng.normal(0, 1, 1000).astype(np.float32).view(np.uint32)
    small = (rng.normal(0, 1, 1000) * 1e-6).astype(np.float32).view(np.uint32)
    bits = np.concatenate([bits, ordinary, small])
    single = torch.from_numpy(bits.view(np.float32).copy())
    double = np.concatenate([rng.normal(0, 1, 1000), rng.normal(0, 1, 1000) * 1e-6, rng.normal(0, 3e4, 500),
                             # Just off the tie between two halves: rounding to float32 on the way would decide wrongly.
                             1 + 2.0**-11 + 2.0 ** -rng.integers(30, 52, 500)])
    save_file({"f32_bits": torch.from_numpy(bits), "bf16_bits": single.to(torch.bfloat16).view(torch.uint16),
               "f16_bits": single.to(torch.float16).view(torch.uint16), "f64": torch.from_numpy(double),
               "f16_bits_of_f64": torch.from_numpy(double.astype(np.float16).view(np.uint16))},
              OUT / "rounding.safetensors")


def write_configs():
    """config.json of transformers 5, and what transformers reads from it."""
    common = dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                  intermediate_size=128, vocab_size=100, dtype="bfloat16")
    llama3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
              "original_max_position_embeddings": 512, "rope_theta": 500000.0}
    yarn = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 256, "beta_fast": 16.0,
            "truncate": False, "rope_theta": 1000000.0}
    models = {"llama": transformers.LlamaConfig(**common, rope_parameters=llama3, eos_token_id=[2, 3]),
              "qwen2": transformers.Qwen2Config(**common, rope_parameters=yarn, tie_word_embeddings=True),
              "qwen3": transformers.Qwen3Config(**common, head_dim=32)}
    for name, config in models.items():
        config.architectures = [{"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM",
                                 "qwen3": "Qwen3ForCausalLM"}[name]]
        config.save_pretrained(OUT / f"config_{name}")


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    write_mixed()
    write_sharded()
    write_rounding()
    write_configs()


if __name__ == "__main__":
    main()
