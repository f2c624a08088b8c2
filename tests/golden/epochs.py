"""`epoch` of every log line that transformers' Trainer writes, by rows, batch, accumulation, ranks and length of the run.
Writes epochs.json beside itself; the C++ test reads it.

Run by hand with the versions of requirements.txt. Several ranks are processes of torch.distributed over gloo."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import torch
from transformers import Trainer, TrainingArguments

PATH = pathlib.Path(__file__).parent / "epochs.json"
#         rows batch accumulation ranks epochs max_steps
CASES = [
    (8, 2, 1, 1, 2, -1),  # whole windows
    (16, 2, 4, 1, 2, -1),
    (10, 2, 2, 1, 2, -1),  # the last window has 1 of 2 micro-batches
    (9, 1, 4, 1, 3, -1),  # 1 of 4
    (11, 1, 4, 1, 2, -1),  # 3 of 4
    (7, 2, 4, 1, 3, -1),  # the epoch is one window, the last micro-batch has one row
    (3, 4, 8, 1, 2, -1),  # one micro-batch for eight
    (13, 3, 2, 1, 1.5, -1),  # ends within an epoch
    (18, 1, 4, 1, 3, 7),  # max_steps ends within an epoch
    (18, 1, 4, 1, 1, 12),  # and goes beyond num_train_epochs
    (10, 2, 2, 2, 2, -1),
    (11, 1, 3, 2, 2, -1),
    (9, 2, 4, 2, 2, 5),
]


class _Line(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, x=None, labels=None):
        return {"loss": ((self.weight * x - labels) ** 2).mean()}


def epochs_of(rows, batch, accumulation, epochs, max_steps):
    data = [{"x": torch.tensor([1.0 + i]), "labels": torch.tensor([2.0])} for i in range(rows)]
    with tempfile.TemporaryDirectory() as folder:
        args = TrainingArguments(
            folder, per_device_train_batch_size=batch, gradient_accumulation_steps=accumulation,
            num_train_epochs=epochs, max_steps=max_steps, logging_steps=1, report_to="none", use_cpu=True,
            save_strategy="no", disable_tqdm=True, remove_unused_columns=False)
        trainer = Trainer(_Line(), args, train_dataset=data)
        trainer.train()
    return [entry["epoch"] for entry in trainer.state.log_history if "loss" in entry]


def run(case):
    rows, batch, accumulation, ranks, epochs, max_steps = case
    if ranks == 1:
        return epochs_of(rows, batch, accumulation, epochs, max_steps)
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        words = [sys.executable, "-m", "torch.distributed.run", f"--nproc_per_node={ranks}", __file__, file.name]
        subprocess.run(words + [str(value) for value in (rows, batch, accumulation, epochs, max_steps)], check=True)
        return json.loads(pathlib.Path(file.name).read_text())


if len(sys.argv) > 1:
    rows, batch, accumulation = map(int, sys.argv[2:5])
    seen = epochs_of(rows, batch, accumulation, float(sys.argv[5]), int(sys.argv[6]))
    if os.environ["RANK"] == "0":
        pathlib.Path(sys.argv[1]).write_text(json.dumps(seen))
else:
    names = ("rows", "per_device_train_batch_size", "gradient_accumulation_steps", "ranks", "num_train_epochs", "max_steps")
    lines = [json.dumps(dict(zip(names, case)) | {"epochs": run(case)}) for case in CASES]
    PATH.write_text("[\n" + ",\n".join(lines) + "\n]\n")
