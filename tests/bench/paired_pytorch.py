#!/usr/bin/env python3
"""Compares `ftrun bench` with a plain PyTorch training step of the same model shape on this machine.

Runs the two alternately, each in a process of its own, and prints medians, the ratio of tokens per second, peak resident
memory and model FLOPs utilization, both against the GEMM peak that ftrun measures in its runs. Nothing of the build or
the test suite needs this; it needs torch and transformers (tests/golden/requirements.txt).

    python tests/bench/paired_pytorch.py --model configs/models/qwen2.5-0.5b --seq 1024 --batch 2

PyTorch's side: transformers' model of the config.json with random weights, its default attention, cross-entropy on
every token, clip_grad_norm_ and AdamW: what a user writes without further libraries (--finetuning_type lora: with PEFT's
pairs on every linear layer of the blocks). --pytorch_dtype bf16 holds weights
and moments in bf16 (no fp32 master, so less work and memory than ftrun's bf16); bf16_autocast keeps them in fp32.
"""
import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "configs/models/qwen2.5-0.5b",
                        help="folder with a config.json")
    parser.add_argument("--seq", type=int, default=1024, help="tokens of a row")
    parser.add_argument("--batch", type=int, default=2, help="rows of a step")
    parser.add_argument("--steps", type=int, default=5, help="measured in each process, after one that is not")
    parser.add_argument("--runs", type=int, default=3, help="processes of each side")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--ftrun_dtype", choices=("bf16", "fp32"), nargs="+", default=["bf16"],
                        help="several are held against the same runs of PyTorch")
    parser.add_argument("--pytorch_dtype", choices=("fp32", "bf16", "bf16_autocast"), default="fp32")
    parser.add_argument("--optimizer", choices=("auto", "fused", "foreach", "for-loop"), default="auto",
                        help="PyTorch's AdamW; auto: the fastest of two, tried first")
    parser.add_argument("--finetuning_type", choices=("full", "lora"), default="full", help="on both sides")
    parser.add_argument("--lora_rank", type=int, default=8)
    parser.add_argument("--gradient_checkpointing", action="store_true", help="on both sides")
    parser.add_argument("--ftrun", type=pathlib.Path, default=ROOT / "build/bin/ftrun", help="the program")
    parser.add_argument("--json", action="store_true", help="one JSON object per line on stdout, one for each dtype of ftrun")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def measure_pytorch(args):
    """One process's measurement of PyTorch."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.set_num_threads(args.threads)
    torch.manual_seed(42)
    config = AutoConfig.from_pretrained(args.model)
    config.use_cache = False
    dtype = torch.bfloat16 if args.pytorch_dtype == "bf16" else torch.float32
    model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    if args.finetuning_type == "lora":
        from peft import LoraConfig, get_peft_model
        model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=args.lora_rank, lora_alpha=2 * args.lora_rank,
                                                 target_modules="all-linear"))
    model.train()
    if args.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    variant = {"fused": {"fused": True}, "foreach": {"foreach": True}, "for-loop": {"foreach": False}}[args.optimizer]
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=5e-5, **variant)
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=args.pytorch_dtype == "bf16_autocast")

    phases = []
    for _ in range(args.steps + 1):
        ids = torch.randint(config.vocab_size, (args.batch, args.seq))
        marks = [time.perf_counter()]
        with autocast:
            loss = model(input_ids=ids, labels=ids).loss
        marks.append(time.perf_counter())
        loss.backward()
        marks.append(time.perf_counter())
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        marks.append(time.perf_counter())
        phases.append([(end - begin) * 1e3 for begin, end in zip(marks, marks[1:])])
    phases = phases[1:]
    step_ms = statistics.median(sum(step) for step in phases)
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "tokens_per_second": args.batch * args.seq / step_ms * 1e3,
        "step_ms": step_ms,
        "phase_ms": {name: statistics.median(step[i] for step in phases)
                     for i, name in enumerate(("forward", "backward", "optimizer"))},
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "optimizer": args.optimizer,
        "torch": torch.__version__,
    }


def run_json(command, environment=None):
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environment, text=True)
    if done.returncode != 0:
        sys.exit(f"paired_pytorch.py: exit code {done.returncode} of {' '.join(map(str, command))}")
    return json.loads(done.stdout)


def run_pytorch(args, optimizer, steps):
    command = [sys.executable, __file__, "--worker", "--model", args.model, "--seq", args.seq, "--batch", args.batch,
               "--steps", steps, "--threads", args.threads, "--pytorch_dtype", args.pytorch_dtype,
               "--optimizer", optimizer, "--finetuning_type", args.finetuning_type, "--lora_rank", args.lora_rank]
    if args.gradient_checkpointing:
        command.append("--gradient_checkpointing")
    environment = dict(os.environ, OMP_NUM_THREADS=str(args.threads), MKL_NUM_THREADS=str(args.threads))
    return run_json([str(part) for part in command], environment)


def run_ftrun(args, dtype):
    command = [args.ftrun, "bench", "--json", "--model", args.model, "--seq", args.seq, "--batch", args.batch,
               "--steps", args.steps, "--threads", args.threads, "--torch_dtype", dtype,
               "--gradient_checkpointing", str(args.gradient_checkpointing).lower(),
               "--finetuning_type", args.finetuning_type]
    if args.finetuning_type == "lora":
        command += ["--lora_rank", args.lora_rank]
    return run_json([str(part) for part in command])


def say(text):
    print(text, file=sys.stderr, flush=True)


def fastest_optimizer(args):
    if args.optimizer != "auto":
        return args.optimizer
    tried = {name: run_pytorch(args, name, 2)["phase_ms"]["optimizer"] for name in ("fused", "foreach")}
    say("PyTorch's AdamW: " + ", ".join(f"{name} {ms:.0f} ms" for name, ms in tried.items()))
    return min(tried, key=tried.get)


def summary(args, dtype, ftrun_runs, pytorch_runs):
    def median(runs, key):
        return statistics.median(run[key] for run in runs)

    first = ftrun_runs[0]
    if first["model"]["parameters"] != pytorch_runs[0]["parameters"]:
        sys.exit(f"paired_pytorch.py: ftrun has {first['model']['parameters']} parameters, PyTorch "
                 f"{pytorch_runs[0]['parameters']}: not the same model")
    peak = median(ftrun_runs, "gemm_peak_tflops")
    flops = first["model"]["flops_per_token"]

    def side(runs):
        speed = median(runs, "tokens_per_second")
        return {"tokens_per_second": speed,
                "step_ms": median(runs, "step_ms"),
                "phase_ms": {phase: statistics.median(run["phase_ms"][phase] for run in runs)
                             for phase in ("forward", "backward", "optimizer")},
                "mfu": speed * flops * 1e-12 / peak,
                "peak_rss_mib": median(runs, "peak_rss_mib")}

    ratios = [a["tokens_per_second"] / b["tokens_per_second"] for a, b in zip(ftrun_runs, pytorch_runs)]
    result = {
        "machine": first["machine"],
        "model": first["model"],
        "run": {"finetuning_type": args.finetuning_type, "seq": args.seq, "batch": args.batch, "steps": args.steps, "runs": args.runs,
                "gradient_checkpointing": args.gradient_checkpointing, "ftrun_dtype": dtype,
                "pytorch_dtype": args.pytorch_dtype, "optimizer": pytorch_runs[0]["optimizer"],
                "torch": pytorch_runs[0]["torch"]},
        "gemm_peak_tflops": peak,
        "ftrun": side(ftrun_runs),
        "pytorch": side(pytorch_runs),
    }
    result["ratio"] = {
        "tokens_per_second": result["ftrun"]["tokens_per_second"] / result["pytorch"]["tokens_per_second"],
        "lowest_pair": min(ratios), "highest_pair": max(ratios),
        "peak_rss": result["ftrun"]["peak_rss_mib"] / result["pytorch"]["peak_rss_mib"]}
    return result


def print_table(r):
    run = r["run"]
    print(f"{r['machine']['cpu']} ({r['machine']['isa']}, {r['machine']['threads']} threads), {r['model']['config']}")
    print(f"seq {run['seq']}, batch {run['batch']}, {'with' if run['gradient_checkpointing'] else 'no'} checkpointing, "
          f"medians of {run['runs']} alternating processes of {run['steps']} steps")
    print(f"GEMM peak {r['gemm_peak_tflops']:.4f} TFLOP/s (ftrun bench)\n")
    names = (f"ftrun {run['ftrun_dtype']}", f"torch {run['torch'].split('+')[0]} {run['pytorch_dtype']}")
    print(f"{'':22}{names[0]:>22}{names[1]:>22}   ratio")
    a, b, ratio = r["ftrun"], r["pytorch"], r["ratio"]
    print(f"{'tokens per second':22}{a['tokens_per_second']:22.1f}{b['tokens_per_second']:22.1f}   "
          f"{ratio['tokens_per_second']:.2f}  (pairs {ratio['lowest_pair']:.2f} to {ratio['highest_pair']:.2f})")
    print(f"{'model FLOPs util.':22}{a['mfu']:22.3f}{b['mfu']:22.3f}")
    print(f"{'step ms':22}{a['step_ms']:22.1f}{b['step_ms']:22.1f}")
    for phase in a["phase_ms"]:
        print(f"{'  ' + phase:22}{a['phase_ms'][phase]:22.1f}{b['phase_ms'][phase]:22.1f}")
    print(f"{'peak resident MiB':22}{a['peak_rss_mib']:22.0f}{b['peak_rss_mib']:22.0f}   {ratio['peak_rss']:.2f}")
    print(f"\nPyTorch's AdamW: {run['optimizer']}")


def main():
    args = arguments()
    if args.worker:
        print(json.dumps(measure_pytorch(args)))
        return
    optimizer = fastest_optimizer(args)
    ftrun_runs = {dtype: [] for dtype in args.ftrun_dtype}
    pytorch_runs = []
    for i in range(args.runs):
        for dtype, runs in ftrun_runs.items():
            runs.append(run_ftrun(args, dtype))
        pytorch_runs.append(run_pytorch(args, optimizer, args.steps))
        say(f"run {i + 1} of {args.runs}: "
            + ", ".join(f"ftrun {dtype} {runs[-1]['tokens_per_second']:.1f}" for dtype, runs in ftrun_runs.items())
            + f", PyTorch {pytorch_runs[-1]['tokens_per_second']:.1f} tokens/s")
    for dtype, runs in ftrun_runs.items():
        result = summary(args, dtype, runs, pytorch_runs)
        if args.json:
            print(json.dumps(result), flush=True)
        else:
            print_table(result)


if __name__ == "__main__":
    main()
