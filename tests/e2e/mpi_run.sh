#!/usr/bin/env bash
# mpi_run.sh FTRUN: runs under mpirun give the bits of in-process ranks, stop with a checkpoint, are compared before step 1, and end
# when a rank is killed, leaving complete checkpoints only. Exits 77 (skipped) without mpirun.
set -euo pipefail
command -v mpirun >/dev/null || { echo "mpirun is not installed: skipped"; exit 77; }
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
ftrun=$(realpath "$1")
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$root"
cat >"$work/run.yaml" <<YAML
model_name_or_path: configs/demo/model
train_from_scratch: true
stage: sft
finetuning_type: full
dataset: demo_train
dataset_dir: configs/demo
template: chatml
cutoff_len: 128
max_samples: 64
per_device_train_batch_size: 2
gradient_accumulation_steps: 2
learning_rate: 1.0e-3
max_steps: 6
logging_steps: 1
save_strategy: "no"
cache_dir: $work/cache
YAML
fail() { echo "FAILED: $1"; shift; for file in "$@"; do tail -n 20 "$file"; done; exit 1; }
# launch RANKS OUTPUT ARGS...: stderr and stdout in OUTPUT.log
launch() {
  local ranks=$1 name=$2
  shift 2
  timeout 120 mpirun -n "$ranks" "$ftrun" --config "$work/run.yaml" --output_dir "$work/$name" "$@" >"$work/$name.log" 2>&1
}

for strategy in ddp zero1 zero2 zero3 fsdp; do
  "$ftrun" --config "$work/run.yaml" --strategy $strategy --nproc 2 --output_dir "$work/threads-$strategy" 2>"$work/threads.log" ||
    fail "threads" "$work/threads.log"
  launch 2 "processes-$strategy" --strategy $strategy || fail "mpirun with $strategy" "$work/processes-$strategy.log"
  cmp "$work/threads-$strategy/model.safetensors" "$work/processes-$strategy/model.safetensors" ||
    fail "$strategy: processes and threads differ"
done

# Ranks with different settings are refused before anything is written.
set +e
timeout 120 mpirun -n 1 "$ftrun" --config "$work/run.yaml" --output_dir "$work/unequal" --strategy ddp --learning_rate 1e-3 : \
  -n 1 "$ftrun" --config "$work/run.yaml" --output_dir "$work/unequal" --strategy ddp --learning_rate 2e-3 >"$work/unequal.log" 2>&1
[ $? -ne 0 ] || fail "unequal settings were accepted" "$work/unequal.log"
set -e
grep -q "learning_rate = " "$work/unequal.log" || fail "the message does not name learning_rate" "$work/unequal.log"
[ ! -e "$work/unequal" ] || fail "the refused run left a folder"

# Files that the same relative path leads to in different folders, as on machines with copies of their own.
sed "s|dataset_dir: .*|dataset_dir: $root/configs/demo|; s|model_name_or_path: .*|model_name_or_path: model|" "$work/run.yaml" >"$work/local.yaml"
for machine in a b; do mkdir -p "$work/$machine" && cp -r "$root/configs/demo/model" "$work/$machine/model"; done
expect_unequal() { # WORDS-OF-THE-MESSAGE ARGS...
  local words=$1
  shift
  rm -rf "$work/unequal"
  set +e
  timeout 120 mpirun -n 1 -wdir "$work/a" "$ftrun" --config "$work/local.yaml" --output_dir "$work/unequal" --strategy ddp "$@" : \
    -n 1 -wdir "$work/b" "$ftrun" --config "$work/local.yaml" --output_dir "$work/unequal" --strategy ddp "$@" >"$work/unequal.log" 2>&1
  [ $? -ne 0 ] || fail "ranks with different '$words' were accepted" "$work/unequal.log"
  set -e
  grep -q "$words" "$work/unequal.log" || fail "the message does not name '$words'" "$work/unequal.log"
  [ ! -e "$work/unequal" ] || fail "the refused run left a folder"
}
sed -i 's/"rms_norm_eps": [^,]*/"rms_norm_eps": 0.1/' "$work/b/model/config.json"
expect_unequal "content of the model's config.json"
cp "$root/configs/demo/model/config.json" "$work/b/model/config.json"
cp "$work/threads-ddp/model.safetensors" "$work/a/model/"
cp "$work/threads-zero3/model.safetensors" "$work/b/model/"
printf '\x3f' | dd of="$work/b/model/model.safetensors" bs=1 seek=$(($(stat -c %s "$work/b/model/model.safetensors") / 3)) conv=notrunc status=none
expect_unequal "content of the model's weights" --train_from_scratch false
head -n 40 "$root/configs/demo/train.jsonl" >"$work/a/rows.jsonl"
sed '11s/[0-6]/7/' "$work/a/rows.jsonl" >"$work/b/rows.jsonl"
cmp -s "$work/a/rows.jsonl" "$work/b/rows.jsonl" && fail "the rows should differ"
expect_unequal "fingerprint of the training data" --dataset rows.jsonl

# pids OUTPUT: process ids of a job's ranks
pids() { pgrep -f -- "--output_dir $work/$1" | while read -r p; do [ "$(readlink "/proc/$p/exe")" = "$ftrun" ] && echo "$p"; done; }
wait_for_log() { for _ in $(seq 300); do [ -s "$work/$1/trainer_log.jsonl" ] && return; sleep 0.1; done; fail "$1 never began" "$work/$1.log"; }

# SIGUSR1 to one rank: all save and end; the run continues from there.
launch 2 stopped --strategy zero2 --max_steps 100000 &
wait_for_log stopped
kill -USR1 "$(pids stopped | tail -n 1)"
wait $! && fail "a stopped run exits with 0"
ls "$work"/stopped/checkpoint-*/optimizer-00001.safetensors >/dev/null || fail "no checkpoint of both ranks" "$work/stopped.log"
steps=$(basename "$(ls -d "$work"/stopped/checkpoint-*)" | grep -o '[0-9]*')
launch 2 stopped --strategy zero2 --max_steps $((steps + 2)) --resume_from_checkpoint true || fail "resuming" "$work/stopped.log"

# kill -9 of a rank, also while saving: the job ends within 30 s, and only complete checkpoints have a name.
seed=${FTRUN_TEST_SEED:-$RANDOM}
RANDOM=$seed
for round in 1 2 3; do
  pause=0.$((RANDOM % 900 + 100))
  echo "kill -9 after $pause s (FTRUN_TEST_SEED=$seed)"
  rm -rf "$work/killed"
  launch 2 killed --strategy zero3 --max_steps 100000 --save_strategy steps --save_steps 1 --save_total_limit 2 &
  job=$!
  wait_for_log killed
  sleep $pause
  begin=$SECONDS
  kill -9 "$(pids killed | head -n 1)"
  wait $job && fail "a killed run exits with 0"
  [ $((SECONDS - begin)) -lt 30 ] || fail "the job took $((SECONDS - begin)) s to end"
  for checkpoint in "$work"/killed/checkpoint-*; do
    [ -f "$checkpoint/checkpoint_manifest.json" ] || fail "$checkpoint is not complete"
  done
  newest=$(basename "$(ls -d "$work"/killed/checkpoint-* | sort -t- -k2 -V | tail -n 1)" | grep -o '[0-9]*')
  launch 2 killed --strategy zero3 --max_steps $((newest + 1)) --resume_from_checkpoint true || fail "resuming after kill -9" "$work/killed.log"
  [ -z "$(pids killed)" ] || fail "processes are left"
done
echo "all as promised"
