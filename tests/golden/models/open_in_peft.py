"""Opens adapters that ftrun trained in PEFT: base and adapter must answer as the folder that `ftrun export` merged.

    ftrun --config lora.yaml; ftrun export --config merge.yaml
    python open_in_peft.py BASE ADAPTER MERGED [ADAPTER MERGED]...
Prints the largest difference of logits (scores of a sequence classifier), and exits with 1 where it is above 1e-3.
"""
import sys

import torch
from peft import PeftModel
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification


def logits(model):
    ids = torch.arange(5, 205).reshape(4, 50) % model.config.vocab_size
    with torch.no_grad():
        return model.eval()(input_ids=ids, attention_mask=torch.ones_like(ids)).logits


def main():
    base, pairs = sys.argv[1], sys.argv[2:]
    scores = AutoConfig.from_pretrained(base).architectures[0].endswith("ForSequenceClassification")
    kind = AutoModelForSequenceClassification if scores else AutoModelForCausalLM
    worst = 0.0
    for adapter, merged in zip(pairs[::2], pairs[1::2]):
        bare = kind.from_pretrained(base, dtype=torch.float32)
        unadapted = logits(bare)
        beside = logits(PeftModel.from_pretrained(bare, adapter))
        whole = logits(kind.from_pretrained(merged, dtype=torch.float32))
        difference = (beside - whole).abs().max().item()
        print(f"{adapter}: logits up to {whole.abs().max():.2f}, moved by {(whole - unadapted).abs().max():.2f}, "
              f"PEFT against merged {difference:.1e}")
        worst = max(worst, difference)
    sys.exit(worst > 1e-3)


if __name__ == "__main__":
    main()
