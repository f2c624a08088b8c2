"""Losses, gradient norms and AdamW steps by torch on transformers' models (fp32), as the Hugging Face trainer takes them."""
import math

import torch
import torch.nn.functional as F
import transformers
from trl.experimental.cpo import CPOTrainer
from trl.experimental.orpo import ORPOTrainer

from rows import IGNORED

BETA, GAMMA = 0.1, 0.5


def load(folder):
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).train()


def logps(model, ids, labels, positions=None):
    """Log-probabilities of the targets of one row, position_ids as given."""
    more = {} if positions is None else {"position_ids": torch.tensor([positions])}
    logits = model(input_ids=torch.tensor([ids]), use_cache=False, **more).logits[0]
    targets = torch.tensor(labels[1:])
    kept = targets != IGNORED
    return logits[:-1][kept].log_softmax(-1).gather(1, targets[kept][:, None])[:, 0]


def supervised(model, rows):
    """Mean over the targets of all rows."""
    values = [logps(model, *row) for row in rows]
    return -torch.cat(values).sum() / sum(len(v) for v in values)


def evaluated(model, rows):
    with torch.no_grad():
        return supervised(model, rows).item()


class Settings:  # what TRL's loss functions read of a trainer
    beta, simpo_gamma, alpha, label_smoothing, loss_type = BETA, GAMMA, 0.0, 0.0, "simpo"
    accelerator = type("A", (), {"device": "cpu"})


def pair_loss(kind, policy, reference):
    """policy, reference: (chosen, rejected) lists of token log-probabilities."""
    sums = [torch.stack([v.sum() for v in side]) for side in policy]
    means = [torch.stack([v.mean() for v in side]) for side in policy]
    if kind == "orpo":
        losses, *_ = ORPOTrainer.odds_ratio_loss(Settings, *means)
        return (-means[0] - losses).mean()
    if kind == "simpo":
        losses, *_ = CPOTrainer.cpo_loss(Settings, *means)
        return losses.mean()
    ratios = [s - torch.stack([v.sum() for v in side]) for s, side in zip(sums, reference)]
    if kind == "sigmoid":
        return -F.logsigmoid(BETA * (ratios[0] - ratios[1])).mean()
    assert kind == "ipo"  # DPOTrainer: of the averages over each answer's tokens
    ratios = [torch.stack([p.mean() - r.mean() for p, r in zip(*sides)]) for sides in zip(policy, reference)]
    return ((ratios[0] - ratios[1] - 1 / (2 * BETA)) ** 2).mean()


def pairwise(kind, reference):
    def loss(model, pairs):
        policy = [[logps(model, *p[side]) for p in pairs] for side in (0, 1)]
        with torch.no_grad():
            base = [[logps(reference, *p[side]) for p in pairs] for side in (0, 1)]
        return pair_loss(kind, policy, base)
    return loss


def labelled(reference, kl):
    """Kahneman-Tversky as in TRL's KTOTrainer, z over the whole update. rows: (answer, mismatched answer, is good)."""
    def loss(model, rows):
        with torch.no_grad():
            divergence = [logps(model, *m).sum() - logps(reference, *m).sum() for _, m, _ in rows]
            base = [logps(reference, *r).sum() for r, _, _ in rows]
        z = torch.stack(divergence).mean().clamp(min=0)
        kl.append(z.item())
        ratio = torch.stack([logps(model, *r).sum() for r, _, _ in rows]) - torch.stack(base)
        good = torch.tensor([g for _, _, g in rows])
        return torch.where(good, 1 - torch.sigmoid(BETA * (ratio - z)), 1 - torch.sigmoid(BETA * (z - ratio))).mean()
    return loss


def train(model, batches, loss, rate, schedule="constant", steps=None, warmup=0, each=None):
    """Loss, norm before clipping at 1 and rate of each update; `each(step)` is called after it."""
    batches = list(batches)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=rate, weight_decay=0.0)
    scheduler = transformers.get_scheduler(schedule, optimizer, warmup, steps or len(batches))
    found = {"loss": [], "grad_norm": [], "learning_rate": []}
    for step, batch in enumerate(batches):
        value = loss(model, batch)
        value.backward()
        found["loss"].append(value.item())
        found["grad_norm"].append(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).item())
        found["learning_rate"].append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
        if each:
            each(step + 1)
    return found


def warmup_of(ratio, steps):
    return math.ceil(ratio * steps)
