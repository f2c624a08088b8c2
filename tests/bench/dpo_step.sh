#!/usr/bin/env bash
# dpo_step.sh FTRUN [STEPS]: what a DPO step costs beyond its forward and backward passes (the reference's among the former), and what
# share each phase has; the qwen2.5-0.5b shape cut to 8 layers, bf16, two pairs of 2 x 512 tokens, full with a second model as the
# reference and LoRA with the adapter switched off. Takes about two minutes on two AVX2 cores; nothing else should run.
set -euo pipefail
ftrun=$(realpath "$1")
steps=${2:-6}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$root"
mkdir "$work/shape" "$work/data"
sed 's/"num_hidden_layers": [0-9]*/"num_hidden_layers": 8/; s/"max_window_layers": [0-9]*/"max_window_layers": 8/' \
  configs/models/qwen2.5-0.5b/config.json >"$work/shape/config.json"
# Answers longer than cutoff_len: every row has the same length.
awk 'BEGIN { for (row = 0; row < 64; row++) {
  chosen = rejected = ""
  for (word = 0; word < 600; word++) { chosen = chosen " c" (row * 7 + word) % 97; rejected = rejected " r" (row * 5 + word) % 89 }
  printf "{\"instruction\": \"row %d\", \"chosen\": \"%s\", \"rejected\": \"%s\"}\n", row, chosen, rejected } }' >"$work/data/pairs.jsonl"
cat >"$work/data/dataset_info.json" <<'JSON'
{"pairs": {"file_name": "pairs.jsonl", "ranking": true}, "text": {"file_name": "text.jsonl", "columns": {"prompt": "text"}}}
JSON
echo '{"text": "one row"}' >"$work/data/text.jsonl"
common="--template chatml --dataset_dir $work/data --cutoff_len 512 --bf16 true --threads 2 --save_strategy no --overwrite_output_dir true
  --cache_dir $work/cache --learning_rate 1.0e-5 --max_steps"
run() { "$ftrun" "$@" >/dev/null 2>"$work/log" || { tail "$work/log" >&2; exit 1; }; }
# Random weights as a model folder.
run --stage pt --finetuning_type full --model "$work/shape" --tokenizer_name_or_path configs/demo/model --train_from_scratch true --dataset text \
  --output_dir "$work/model" ${common/--template chatml/} 1
for tuner in full lora; do
  run --stage dpo --finetuning_type $tuner --model "$work/model" --dataset pairs --per_device_train_batch_size 2 --output_dir "$work/$tuner" \
    $common "$steps"
  grep -A7 train_step_seconds "$work/$tuner/train_results.json" | tr -d '",:' | awk -v tuner="$tuner" '
    NF == 2 { seconds[$1] = $2 }
    END { printf "%s: step / (forward + backward) %.3f; of a step: forward %.3f, backward %.3f, optimizer %.3f, data %.3f\n", tuner,
      seconds["total"] / (seconds["forward"] + seconds["backward"]), seconds["forward"] / seconds["total"],
      seconds["backward"] / seconds["total"], seconds["optimizer"] / seconds["total"], seconds["data"] / seconds["total"] }'
done
