"""Ten AdamW steps with accumulation, written out: the loss is the global token mean over the accumulation window."""
import math

import torch
from transformers import Trainer, get_scheduler

from oracle import IGNORE, clone_as, flatten, forward_documents, loss_sum, shifted_targets

STEPS, ACCUMULATION, WEIGHT_DECAY, BETAS, EPSILON = 10, 2, 0.1, (0.9, 0.999), 1e-8


def decayed_names(model):
    """Names under weight decay, exactly the HF trainer's choice."""
    return set(Trainer.get_decay_parameter_names(None, model))


def make_training_data(vocab, generator):
    """STEPS x ACCUMULATION micro-batches of (documents, labels) with uneven lengths and uneven masks."""
    def number(low, high):
        return int(torch.randint(low, high + 1, (1,), generator=generator))

    windows = []
    for step in range(STEPS):
        window = []
        for micro in range(ACCUMULATION):
            documents, labels = [], []
            for row in range(number(4, 7)):
                length = 2 if (step, row) == (1, 0) else number(3, 40)
                ids = torch.randint(0, vocab, (length,), generator=generator).tolist()
                prompt = number(0, length - 1)
                labels.append([IGNORE] * prompt + ids[prompt:])
                documents.append(ids)
            if micro == 1 and step % 3 == 0:  # one row without any target, and a micro-batch with very few of them
                labels[0] = [IGNORE] * len(labels[0])
                labels[1] = [IGNORE] * (len(labels[1]) - 1) + labels[1][-1:]
            window.append((documents, labels))
        windows.append(window)
    return windows


def window_targets(window):
    return sum(t != IGNORE for _, labels in window for t in flatten(shifted_targets(labels)))


def learning_rates(schedule, warmup, base):
    dummy = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=base)
    scheduler = get_scheduler(schedule, dummy, num_warmup_steps=warmup, num_training_steps=STEPS)
    rates = []
    for _ in range(STEPS):
        rates.append(scheduler.get_last_lr()[0])
        dummy.step()
        scheduler.step()
    return rates


def train(model, windows, rates, max_grad_norm, compute_dtype, is_trained=lambda name: True):
    """Returns (loss, grad_norm, model). compute_dtype float64: all in float64. bfloat16: bf16 weights, activations and
    micro-batch gradients, an fp32 accumulator, fp32 master weights and moments. Parameters that are not trained have no
    gradient and are not in the model returned."""
    state_dtype = torch.float64 if compute_dtype == torch.float64 else torch.float32
    net = clone_as(model, compute_dtype)
    decay = decayed_names(net)
    for n, p in net.named_parameters():
        p.requires_grad_(is_trained(n))
    params = {n: p for n, p in net.named_parameters() if is_trained(n)}
    master = {n: p.detach().to(state_dtype).clone() for n, p in clone_as(model, state_dtype).named_parameters()
              if is_trained(n)}
    first = {n: torch.zeros_like(p) for n, p in master.items()}
    second = {n: torch.zeros_like(p) for n, p in master.items()}
    losses, norms = [], []
    for step, (window, lr) in enumerate(zip(windows, rates), start=1):
        grads, total = {n: torch.zeros_like(p) for n, p in master.items()}, 0.0
        denominator = window_targets(window)
        for documents, labels in window:
            for p in params.values():
                p.grad = None
            loss = loss_sum(forward_documents(net, documents), flatten(shifted_targets(labels))) / denominator
            loss.backward()
            total += loss.item()
            for n, p in params.items():
                grads[n] += p.grad.to(state_dtype)
        norm = math.sqrt(sum(float(g.double().pow(2).sum()) for g in grads.values()))
        clip = min(1.0, max_grad_norm / (norm + 1e-6))
        for n, p in master.items():
            g = grads[n] * clip
            first[n].lerp_(g, 1 - BETAS[0])
            second[n].mul_(BETAS[1]).addcmul_(g, g, value=1 - BETAS[1])
            if n in decay:
                p.mul_(1 - lr * WEIGHT_DECAY)
            denom = second[n].sqrt() / math.sqrt(1 - BETAS[1] ** step) + EPSILON
            p.addcdiv_(first[n], denom, value=-lr / (1 - BETAS[0] ** step))
        with torch.no_grad():
            for n, p in params.items():
                p.copy_(master[n].to(compute_dtype))
        losses.append(total)
        norms.append(norm)
    return losses, norms, master
