"""Learning rates of transformers' schedulers, step by step. Writes schedules.json beside itself.

Run by hand with the versions of requirements.txt; the C++ test reads the JSON."""
import json
import pathlib

import torch
from transformers.optimization import get_scheduler

CASES = [
    (name, warmup, total)
    for name in ("linear", "cosine", "cosine_with_min_lr", "constant", "constant_with_warmup", "inverse_sqrt")
    for warmup, total in ((0, 7), (3, 20), (10, 10))
]


def rates(name, warmup, total, learning_rate, min_lr):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=learning_rate)
    kwargs = {"min_lr": min_lr} if name == "cosine_with_min_lr" else {}
    scheduler = get_scheduler(
        name, optimizer, num_warmup_steps=warmup, num_training_steps=total, scheduler_specific_kwargs=kwargs or None
    )
    result = []
    for _ in range(total):
        result.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return result


rows = [
    {"name": name, "learning_rate": 3e-4, "warmup_steps": warmup, "total_steps": total, "min_lr": 3e-5,
     "rates": rates(name, warmup, total, 3e-4, 3e-5)}
    for name, warmup, total in CASES
]
path = pathlib.Path(__file__).parent / "schedules.json"
path.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
