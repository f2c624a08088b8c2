"""Opens a folder saved by ftrun in transformers and compares logits and greedy continuations with ftrun's. Run by hand.

  python open_in_transformers.py MODEL_DIR PROBE.json [--dtype float32|float64|bfloat16] [--atol 1e-4]

PROBE.json is a list of objects; "prompt" (text) or "input_ids" must be there, the rest is compared where present:
  {"prompt": "text", "input_ids": [ids], "logits": [[V reals] per position] or "last_logits": [V reals],
   "new_ids": [greedy ids], "text": "greedy text"}
Without PROBE.json it only opens the folder and prints what it found. Exit status 1 on any difference.
"""
import argparse
import json
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def compare_row(k, row, model, tokenizer, atol):
    ids, ok = row.get("input_ids"), True
    if "prompt" in row:
        encoded = tokenizer(row["prompt"], add_special_tokens=False)["input_ids"]
        if ids is not None and encoded != ids:
            print(f"row {k}: ids differ: transformers {encoded}, ftrun {ids}")
            ok = False
        ids = encoded if ids is None else ids
    with torch.no_grad():
        logits = model(torch.tensor([ids]), use_cache=False).logits[0].double()
    for key, own in (("logits", logits), ("last_logits", logits[-1])):
        if key in row:
            gap = float((own - torch.tensor(row[key], dtype=torch.float64)).abs().max())
            print(f"row {k}: {key}: largest absolute difference {gap:.2e}")
            ok &= gap <= atol
    if "new_ids" in row or "text" in row:
        count = len(row["new_ids"]) if "new_ids" in row else 64
        out = model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                             do_sample=False, max_new_tokens=count)[0, len(ids):].tolist()
        text = tokenizer.decode(out, skip_special_tokens=True) if tokenizer else ""
        same = out[: len(row["new_ids"])] == row["new_ids"] if "new_ids" in row else text.strip() == row["text"].strip()
        print(f"row {k}: greedy continuation {'equal' if same else 'DIFFERS'}: {out} {text!r}")
        ok &= same
    return ok


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model_dir")
    parser.add_argument("probe", nargs="?")
    parser.add_argument("--dtype", default="float32", choices=["float32", "float64", "bfloat16"])
    parser.add_argument("--atol", type=float, default=1e-4)
    args = parser.parse_args()
    model, info = AutoModelForCausalLM.from_pretrained(args.model_dir, dtype=getattr(torch, args.dtype),
                                                       output_loading_info=True)
    model.eval()
    try:
        tokenizer = AutoTokenizer.from_pretrained(args.model_dir)
    except (OSError, ValueError) as error:
        print(f"no tokenizer: {error}")
        tokenizer = None
    print(f"{type(model).__name__}, {sum(p.numel() for p in model.parameters())} parameters; "
          f"tokenizer {type(tokenizer).__name__}, {len(tokenizer) if tokenizer else 0} tokens; "
          f"generation eos {model.generation_config.eos_token_id}")
    trouble = {key: value for key, value in info.items() if value}
    print(f"loading: {trouble or 'every weight matched'}")
    rows = json.load(open(args.probe)) if args.probe else []
    good = [compare_row(k, row, model, tokenizer, args.atol) for k, row in enumerate(rows)]
    sys.exit(0 if all(good) and not trouble else 1)


if __name__ == "__main__":
    main()
