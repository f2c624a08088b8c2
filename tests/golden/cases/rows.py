"""Rows as token ids and labels, in the order in which ftrun takes them: plain Python over Hugging Face's tokenizer."""
import json

IGNORED = -100
MASK = (1 << 64) - 1


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def chatml(tokenizer, turns):
    """(ids, labels) of [(user, answer), ...]; an answer and its <|im_end|> and line break are learnt."""
    ids, labels = [], []
    for user, answer in turns:
        prompt = tokenizer.encode(f"<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n", add_special_tokens=False)
        response = tokenizer.encode(f"{answer}<|im_end|>\n", add_special_tokens=False)
        ids += prompt + response
        labels += [IGNORED] * len(prompt) + response
    return ids, labels


def alpaca(tokenizer, row, cutoff):
    user = "\n".join(part for part in (row["instruction"], row["input"]) if part)
    ids, labels = chatml(tokenizer, [(user, row["output"])])
    return cut(ids, labels, cutoff)


def split_at_answer(labels):
    return next((i for i, label in enumerate(labels) if label != IGNORED), len(labels))


def kept_lengths(source, target, cutoff):
    """LLaMA-Factory 0.9.5, infer_seqlen."""
    if target * 2 < cutoff:
        longest = cutoff
    elif source * 2 < cutoff:
        longest = cutoff - source
    else:
        longest = int(cutoff * (target / (source + target)))
    target = min(longest, target)
    return min(max(cutoff - target, 0), source), target


def cut(ids, labels, cutoff):
    at = split_at_answer(labels)
    source, target = kept_lengths(at, len(ids) - at, cutoff)
    return ids[:source] + ids[at:at + target], labels[:source] + labels[at:at + target]


def pair(tokenizer, row, cutoff):
    """(chosen, rejected), each (ids, labels), or None where the prompt alone exceeds the cutoff."""
    user = row["conversations"][0]["value"]
    both = [chatml(tokenizer, [(user, row[side]["value"])]) for side in ("chosen", "rejected")]
    at = split_at_answer(both[0][1])
    if at > cutoff:
        return None
    source, target = kept_lengths(at, max(len(ids) - at for ids, _ in both), cutoff)
    return tuple((ids[:source] + ids[at:at + target], labels[:source] + labels[at:at + target]) for ids, labels in both)


def mixed(value):
    value = (value + 0x9E3779B97F4A7C15) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def permuted(size, seed, epoch):
    """core/data/permutation.cpp, written again: which row is the i-th of the epoch."""
    key = mixed(mixed(seed) ^ ((epoch * 0xD1342543DE82EF95 + 1) & MASK))
    half = ((size - 1).bit_length() + 1) // 2
    order = []
    for value in range(size):
        while True:
            left, right = value >> half, value & ((1 << half) - 1)
            for r in range(12):
                left, right = right, left ^ (mixed(key ^ mixed((right * 12 + r) & MASK)) & ((1 << half) - 1))
            value = (left << half) | right
            if value < size:
                break
        order.append(value)
    return order


def updates(size, per_update, epochs, shuffle=True, seed=42):
    """Row numbers of each update; an epoch's last one may be short."""
    for epoch in range(epochs):
        order = permuted(size, seed, epoch) if shuffle else list(range(size))
        for begin in range(0, size, per_update):
            yield order[begin:begin + per_update]


def knapsacks(lengths, capacity):
    """LLaMA-Factory 0.9.5, greedy_knapsack, as row numbers."""
    rest = sorted(lengths)
    of_length = {}
    for index, length in enumerate(lengths):
        of_length.setdefault(length, []).append(index)
    sacks = []
    while rest:
        sack, room = [], capacity
        while True:
            fitting = [i for i, length in enumerate(rest) if length <= room]
            if not fitting:
                break
            length = rest.pop(fitting[-1])
            room -= length
            sack.append(of_length[length].pop(0))  # ftrun takes the first of equal ones, LLaMA-Factory the last
        sacks.append(sack)
    return sacks
