#!/usr/bin/env bash
# sequence_lengths.sh FTRUN [MODEL_DIR] [DTYPE]: `ftrun bench` at 4,096 tokens per update in rows of 512 to 4,096 tokens, without recompute.
# Tokens per second may fall by attention's own FLOPs only, so the model FLOPs per second are held against those at 512.
# Takes about twelve minutes on two AVX2 cores with the qwen2.5-0.5b shape; nothing else should run.
set -euo pipefail
ftrun=$(realpath "$1")
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
model=${2:-$root/configs/models/qwen2.5-0.5b}
dtype=${3:-bf16}
number() { grep -o "\"$1\":[0-9.e+]*" <<<"$json" | head -1 | grep -o '[0-9.e+]*$'; }
first=
for seq in 512 1024 2048 4096; do
  json=$("$ftrun" bench --json --model "$model" --seq "$seq" --batch $((4096 / seq)) --steps 1 --torch_dtype "$dtype")
  speed=$(number tokens_per_second)
  flops=$(awk "BEGIN { print $speed * $(number flops_per_token) * 1e-12 }")
  first=${first:-$flops}
  awk "BEGIN { printf \"seq %5d: %8.1f tokens/s, %.4f model TFLOP/s (%.3f of seq 512), activations %.0f MiB, peak resident %d MiB\n\",
    $seq, $speed, $flops, $flops / $first, $(number activations) / 1048576, $(number peak_rss_mib) }"
done
