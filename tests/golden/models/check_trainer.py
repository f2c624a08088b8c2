"""Runs HF's own Trainer (fp32) on a case's data: shows that training.py's written-out step is what the trainer does."""
import tempfile

import torch
from transformers import Trainer, TrainingArguments

from oracle import IGNORE, clone_as, flatten
from training import ACCUMULATION, BETAS, EPSILON, STEPS, WEIGHT_DECAY


class _InOrder(Trainer):
    def _get_train_sampler(self, *args, **kwargs):
        return torch.utils.data.SequentialSampler(self.train_dataset)


def _collate(items):
    documents, labels = items[0]
    longest = max(len(d) for d in documents)

    def pad(rows, value):
        return torch.tensor([row + [value] * (longest - len(row)) for row in rows])

    return {"input_ids": pad(documents, 0), "labels": pad(labels, IGNORE),
            "attention_mask": pad([[1] * len(d) for d in documents], 0)}


def check(case, model, windows, rates, recipe, reference):
    schedule, warmup, rate, max_norm = recipe
    with tempfile.TemporaryDirectory() as folder:
        args = TrainingArguments(
            folder, per_device_train_batch_size=1, gradient_accumulation_steps=ACCUMULATION, max_steps=STEPS,
            learning_rate=rate, lr_scheduler_type=schedule, warmup_steps=warmup, weight_decay=WEIGHT_DECAY,
            adam_beta1=BETAS[0], adam_beta2=BETAS[1], adam_epsilon=EPSILON, max_grad_norm=max_norm, logging_steps=1,
            report_to="none", use_cpu=True, save_strategy="no", disable_tqdm=True, remove_unused_columns=False,
            logging_nan_inf_filter=False)
        net = clone_as(model, torch.float32)
        trainer = _InOrder(net, args, train_dataset=flatten(windows), data_collator=_collate)
        trainer.train()
    log = [row for row in trainer.state.log_history if "grad_norm" in row]
    final = dict(net.named_parameters())
    from make_models import report
    for row, lr in zip(log, rates):
        assert abs(row["learning_rate"] - lr) <= 1e-12, (row, lr)
    report(case, "HF Trainer", ([r["loss"] for r in log], [r["grad_norm"] for r in log], final), reference)
