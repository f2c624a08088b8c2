#!/usr/bin/env bash
# strategy_speed.sh FTRUN [PAIRS]: tokens per second of strategies on two cores, as ratios of paired runs: two in-process ranks of one
# thread against one rank of two threads, and zero3 against ddp. The qwen2.5-0.5b shape cut to 8 layers, bf16, rows of 512 tokens.
# Takes about five minutes a pair on two AVX2 cores; nothing else should run.
set -euo pipefail
ftrun=$(realpath "$1")
pairs=${2:-1}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$root"
mkdir "$work/model"
sed 's/"num_hidden_layers": [0-9]*/"num_hidden_layers": 8/; s/"max_window_layers": [0-9]*/"max_window_layers": 8/' \
  configs/models/qwen2.5-0.5b/config.json >"$work/model/config.json"
cat >"$work/run.yaml" <<YAML
model_name_or_path: $work/model
tokenizer_name_or_path: configs/demo/model
train_from_scratch: true
stage: sft
finetuning_type: full
dataset: demo_train
dataset_dir: configs/demo
template: chatml
cutoff_len: 512
packing: true
bf16: true
learning_rate: 1.0e-4
threads: 2
save_strategy: "no"
overwrite_output_dir: true
cache_dir: $work/cache
YAML
# speed STRATEGY RANKS ROWS-PER-RANK ACCUMULATION UPDATES: tokens per second
speed() {
  "$ftrun" --config "$work/run.yaml" --strategy "$1" --nproc "$2" --per_device_train_batch_size "$3" \
    --gradient_accumulation_steps "$4" --max_steps "$5" --output_dir "$work/out" 2>"$work/log" || { tail "$work/log" >&2; exit 1; }
  grep -o '"train_tokens_per_second": [0-9.]*' "$work/out/train_results.json" | grep -o '[0-9.]*$'
}
ratio() { awk "BEGIN { printf \"%.3f\", $1 / $2 }"; }
for _ in $(seq "$pairs"); do
  single=$(speed single 1 2 1 6)
  ddp=$(speed ddp 2 1 1 6)
  zero3=$(speed zero3 2 1 1 6)
  echo "accumulation 1: single $single, ddp $ddp, zero3 $zero3 tokens/s; ddp / single $(ratio "$ddp" "$single"), zero3 / ddp $(ratio "$zero3" "$ddp")"
  single=$(speed single 1 2 8 2)
  ddp=$(speed ddp 2 1 8 2)
  echo "accumulation 8: single $single, ddp $ddp tokens/s; ddp / single $(ratio "$ddp" "$single")"
done
