"""transformers models as a float64 oracle: builds them, runs documents, and computes losses and gradients.

transformers computes norms and rope angles in float32 whatever the model's dtype; `float64_islands` lifts both
to float64, and the loss is computed here on float64 logits. Rope frequencies stay
transformers' own float32 values. The bf16 models run unpatched.
"""
import contextlib
import copy

import torch
import torch.nn.functional as F
import transformers
from transformers.models.llama import modeling_llama
from transformers.models.qwen2 import modeling_qwen2
from transformers.models.qwen3 import modeling_qwen3

IGNORE = -100
FAMILIES = {
    "llama": (transformers.LlamaConfig, modeling_llama.LlamaForCausalLM, modeling_llama.LlamaRMSNorm,
              modeling_llama.LlamaRotaryEmbedding),
    "qwen2": (transformers.Qwen2Config, modeling_qwen2.Qwen2ForCausalLM, modeling_qwen2.Qwen2RMSNorm,
              modeling_qwen2.Qwen2RotaryEmbedding),
    "qwen3": (transformers.Qwen3Config, modeling_qwen3.Qwen3ForCausalLM, modeling_qwen3.Qwen3RMSNorm,
              modeling_qwen3.Qwen3RotaryEmbedding),
}


def _norm64(self, x):
    return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon))


def _rope64(self, x, position_ids):
    freqs = position_ids[..., None].double() * self.inv_freq.double()
    emb = torch.cat((freqs, freqs), dim=-1)
    return emb.cos() * self.attention_scaling, emb.sin() * self.attention_scaling


@contextlib.contextmanager
def float64_islands():
    saved = []
    for _, _, norm, rotary in FAMILIES.values():
        saved += [(norm, norm.forward), (rotary, rotary.forward)]
        norm.forward, rotary.forward = _norm64, torch.no_grad()(_rope64)
    try:
        yield
    finally:
        for cls, forward in saved:
            cls.forward = forward


def build(family, config_dict):
    """A float32 model with random weights that are exact in bf16 (so every precision starts from the same numbers)."""
    config_cls, model_cls, norm_cls, _ = FAMILIES[family]
    config = config_cls(**config_dict)
    config._attn_implementation = "sdpa"
    model = model_cls(config).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "norm" in name:
                p.copy_(1.0 + 0.2 * torch.randn_like(p))
                if name == "model.norm.weight" and config.tie_word_embeddings:  # else greedy decoding repeats its input
                    p.mul_(torch.randn_like(p).sign())
            elif name.endswith("bias"):
                p.copy_(0.1 * torch.randn_like(p))
            else:
                p.copy_(torch.randn_like(p) * (0.6 if "embed" in name and not config.tie_word_embeddings else 0.1))
            p.copy_(p.bfloat16().float())
    return model


def clone_as(model, dtype):
    """A copy in `dtype`. Model.to would also cast the rope frequencies (a buffer), so only parameters are cast."""
    twin = copy.deepcopy(model).eval()
    for module in twin.modules():
        for key, p in module._parameters.items():
            if p is not None:
                p.data = p.data.to(dtype)
    return twin


def shifted_targets(labels_per_document):
    """Position t predicts token t+1 of its document: labels shifted left, a document's last position is ignored."""
    return [labels[1:] + [IGNORE] for labels in labels_per_document]


def forward_documents(model, documents):
    """Logits [T, V] of flat documents: HF's way, right-padded rows with an attention mask."""
    longest = max(len(d) for d in documents)
    ids = torch.zeros(len(documents), longest, dtype=torch.long)
    mask = torch.zeros(len(documents), longest, dtype=torch.long)
    for row, d in enumerate(documents):
        ids[row, : len(d)] = torch.tensor(d)
        mask[row, : len(d)] = 1
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    return torch.cat([logits[row, : len(d)] for row, d in enumerate(documents)])


def forward_packed(model, documents, block_diagonal):
    """Logits [T, V] of one packed row, positions restarting per document, with an explicit 4-D mask."""
    flat = torch.tensor([t for d in documents for t in d])[None]
    positions = torch.tensor([i for d in documents for i in range(len(d))])[None]
    owner = torch.tensor([k for k, d in enumerate(documents) for _ in d])
    allowed = torch.ones(flat.shape[1], flat.shape[1], dtype=torch.bool).tril()
    if block_diagonal:
        allowed &= owner[:, None] == owner[None, :]
    dtype = next(model.parameters()).dtype
    mask = torch.zeros(allowed.shape, dtype=dtype).masked_fill(~allowed, torch.finfo(dtype).min)[None, None]
    return model(input_ids=flat, position_ids=positions, attention_mask=mask, use_cache=False).logits[0]


def loss_sum(logits, targets):
    """Summed cross-entropy over targets != IGNORE; bf16 logits are widened to float32 as HF's loss does."""
    wide = logits.float() if logits.dtype == torch.bfloat16 else logits
    return F.cross_entropy(wide, torch.tensor(targets), ignore_index=IGNORE, reduction="sum")


def flatten(lists):
    return [x for row in lists for x in row]
