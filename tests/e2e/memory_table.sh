#!/usr/bin/env bash
# memory_table.sh FTRUN: which strategy fits which emulated NPU. Trains one update of a 6 M parameter model in bf16 on four
# npu_a2 with less and less HBM and prints one table: announced and measured memory of a rank, and where it fits. Exits 1
# when a strategy fits where one that shards more does not.
set -euo pipefail
ftrun=$(realpath "$1")
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/model"
cp "$root"/configs/demo/model/*.json "$work/model/"
sed -e 's/"hidden_size": 128/"hidden_size": 256/; s/"intermediate_size": 384/"intermediate_size": 768/' \
  -e 's/"num_hidden_layers": 3/"num_hidden_layers": 8/; s/"num_attention_heads": 4/"num_attention_heads": 8/' \
  "$root/configs/demo/model/config.json" >"$work/model/config.json"
cat >"$work/run.yaml" <<YAML
model_name_or_path: $work/model
train_from_scratch: true
stage: sft
finetuning_type: full
dataset: demo_train
dataset_dir: $root/configs/demo
template: chatml
cutoff_len: 128
max_samples: 64
bf16: true
per_device_train_batch_size: 4
gradient_accumulation_steps: 1
max_steps: 1
save_strategy: "no"
nproc: 4
cache_dir: $work/cache
overwrite_output_dir: true
YAML

names=(ddp zero1 zero2 zero3 "zero3 + offload")
strategies=("ddp" "zero1" "zero2" "zero3" "{name: zero3, offload_optimizer: cpu, offload_param: cpu}")
sizes=(160 100 72 44)

# run STRATEGY HBM_MIB: one update; its JSON in $work/out.json
run() {
  cat "$work/run.yaml" - >"$work/now.yaml" <<YAML
output_dir: $work/out
strategy: $1
device: {name: npu_a2, hbm_bytes: ${2}MiB}
YAML
  "$ftrun" --config "$work/now.yaml" --json >"$work/out.json" 2>"$work/err.txt"
}
number() { grep -o "$1[^0-9]*[0-9]*" "$work/out.json" | head -n 1 | grep -o '[0-9]*$'; }

printf '%-16s %12s' strategy 'peak MiB'
for size in "${sizes[@]}"; do printf ' %8s' "${size} MiB"; done
printf '\n'
failed=0
before=()
for i in "${!names[@]}"; do
  run "${strategies[i]}" 512
  printf '%-16s %12s' "${names[i]}" "$(($(number '"peak_allocated_bytes":') / 1048576))"
  fits=()
  for size in "${sizes[@]}"; do
    if run "${strategies[i]}" "$size"; then
      fits+=(1) && printf ' %8s' fits
    elif grep -q '"code":"resource_exhausted"' "$work/out.json"; then
      fits+=(0) && printf ' %8s' -
    else
      cat "$work/out.json" "$work/err.txt" >&2 && exit 1
    fi
  done
  printf '\n'
  for j in "${!before[@]}"; do
    if [ "${before[j]}" = 1 ] && [ "${fits[j]}" = 0 ]; then failed=1; fi
  done
  before=("${fits[@]}")
done
exit $failed
