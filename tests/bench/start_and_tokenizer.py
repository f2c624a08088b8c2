#!/usr/bin/env python3
"""Medians of five: `ftrun --help`, start to the first step of the demo model (data cached), and tokenizing a file of texts
against Hugging Face's tokenizers on one thread. Nothing else should run. Needs tokenizers (tests/golden/requirements.txt).

    python tests/bench/start_and_tokenizer.py --ftrun build/bin/ftrun --tokenizer ../shared/tokenizers/qwen2.5 \\
        --texts ../shared/data/c4_demo.jsonl
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
ROOT = pathlib.Path(__file__).resolve().parents[2]
RUNS = 5


def seconds_of(command, until=None):
    """Wall clock of a process, or until its log has a line with `until`."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    reached = None
    for line in process.stderr:
        if until and reached is None and until in line:
            reached = time.perf_counter() - begin
    if process.wait() != 0:
        raise SystemExit(f"exit code {process.returncode}: {command}")
    return reached if until else time.perf_counter() - begin


def first_step(ftrun, folder):
    command = [ftrun, "--config", ROOT / "configs/sft.yaml", "--max_steps", "1", "--logging_steps", "1", "--eval_strategy", "no",
               "--eval_exact_match", "false", "--save_strategy", "no", "--output_dir", folder / "out", "--cache_dir", folder / "cache"]
    seconds_of(command, "'loss'")
    return statistics.median(seconds_of(command, "'loss'") for _ in range(RUNS))


def tokenizing(ftrun, tokenizer, texts, folder):
    """MB/s of both. ftrun's program reads and prints too, and every run begins with empty caches."""
    from tokenizers import Tokenizer

    rows = [json.loads(line)["text"].replace("\n", " ") for line in open(texts)] * 8
    (folder / "texts").write_text("\n".join(rows) + "\n")
    size = sum(len(row.encode()) for row in rows) / 1e6
    one = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    hf, ours = [], []
    for _ in range(RUNS):
        begin = time.perf_counter()
        for row in rows:
            one.encode(row)
        hf.append(size / (time.perf_counter() - begin))
        empty = seconds_of([ftrun, "tokenize", tokenizer, "/dev/null"])
        ours.append(size / (seconds_of([ftrun, "tokenize", tokenizer, folder / "texts"]) - empty))
    return statistics.median(ours), statistics.median(hf)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ftrun", type=pathlib.Path, default=ROOT / "build/bin/ftrun")
    parser.add_argument("--tokenizer", type=pathlib.Path, default=ROOT / "../shared/tokenizers/qwen2.5")
    parser.add_argument("--texts", type=pathlib.Path, default=ROOT / "../shared/data/c4_demo.jsonl")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        print(f"ftrun --help: {statistics.median(seconds_of([args.ftrun, '--help']) for _ in range(RUNS)) * 1e3:.0f} ms")
        print(f"start to first step: {first_step(args.ftrun, folder) * 1e3:.0f} ms")
        ours, hf = tokenizing(args.ftrun, args.tokenizer, args.texts, folder)
        print(f"tokenizing: {ours:.1f} MB/s, Hugging Face {hf:.2f} MB/s, ratio {ours / hf:.1f}")


if __name__ == "__main__":
    main()
