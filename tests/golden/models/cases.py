"""The tiny random models of tests/golden/models, a row per case. Odd shapes on purpose: vector tails, MQA, MHA, GQA."""

LLAMA3_ROPE = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0,
               "high_freq_factor": 4.0, "original_max_position_embeddings": 32}
YARN_EXPLICIT = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 32,
                 "attention_factor": 1.25, "beta_fast": 16.0, "beta_slow": 2.0}
YARN_DERIVED = {"rope_type": "yarn", "rope_theta": 1000000.0, "factor": 4.0, "original_max_position_embeddings": 32}
LINEAR_ROPE = {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.5}


def rope(theta):
    return {"rope_type": "default", "rope_theta": theta}


def shape(hidden, inner, heads, kv_heads, layers=2, vocab=83, tied=False, **more):
    return dict(hidden_size=hidden, intermediate_size=inner, num_attention_heads=heads, num_key_value_heads=kv_heads,
                num_hidden_layers=layers, vocab_size=vocab, tie_word_embeddings=tied, max_position_embeddings=128,
                bos_token_id=None, eos_token_id=None, pad_token_id=None, **more)


# name: (architecture, config, schedule, warm-up steps, learning rate, max_grad_norm, extras)
# max_grad_norm is chosen to clip some of the ten steps and not others; make_models.py asserts it.
CASES = {
    "llama": ("llama", shape(48, 52, 6, 2, rope_parameters=rope(10000.0), rms_norm_eps=1e-5), "linear", 0, 1e-3, 1.0,
              {"bf16", "packed"}),
    "llama_rope3": ("llama", shape(32, 56, 4, 2, rope_parameters=LLAMA3_ROPE, attention_bias=True, mlp_bias=True),
                    "cosine", 2, 1e-3, 0.7, set()),
    "llama_yarn": ("llama", shape(32, 48, 4, 1, rope_parameters=YARN_EXPLICIT), "cosine", 0, 2e-3, 0.7, set()),
    "llama_tied_linear": ("llama", shape(40, 36, 5, 5, tied=True, rope_parameters=LINEAR_ROPE), "linear", 3, 2e-3, 1.6,
                          set()),
    "qwen2": ("qwen2", shape(48, 46, 6, 2, tied=True, rope_parameters=rope(500.0)), "cosine", 1, 1e-3, 2.2, {"bf16"}),
    "qwen2_untied": ("qwen2", shape(32, 42, 2, 1, vocab=89, rope_parameters=rope(10000.0)), "linear", 0, 1e-3,
                     0.65, set()),
    "qwen3": ("qwen3", shape(48, 44, 4, 2, tied=True, head_dim=16, rope_parameters=rope(1000000.0)), "cosine", 0,
              1e-3, 2.2, {"bf16", "packed"}),
    "qwen3_untied": ("qwen3", shape(36, 26, 6, 2, layers=3, head_dim=10, rope_parameters=YARN_DERIVED), "linear", 2,
                     1e-3, 0.9, set()),
}
