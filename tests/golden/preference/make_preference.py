"""Writes tests/golden/preference/*.safetensors: what TRL's trainers compute from pairs and labelled rows on a tiny model.

Run by hand in the environment of ../requirements.txt:  python make_preference.py [name ...]
The rows are made-up token ids, so no tokenizer takes part. Tensor names are documented in ../README.md.

  trainers as they are   pt (transformers' Trainer), sigmoid, hinge, ipo, robust (DPOTrainer), kto (KTOTrainer),
                         rm, rm_margin, rm_bias, rm_lora (RewardTrainer; a head with a bias; a PEFT adapter, in rm_lora/),
                         dpo_start, kto_start (an adapter, in start_lora/, is trained on: the reference is its start)
  their loss functions   orpo (ORPOTrainer.odds_ratio_loss), simpo (CPOTrainer.cpo_loss), inside DPOTrainer's loop: both
                         trainers tokenize by themselves, and ORPOTrainer's likelihood term takes the prompt too
  written out            smoothed (the sigmoid loss with label smoothing: TRL 1.16 smooths `aot` only, of which it is the
                         case of one pair), ftx and kto_ftx, as in LLaMA-Factory 0.9.5
"""
import argparse
import collections
import pathlib
import sys
import tempfile

import torch
import torch.nn.functional as F
import transformers
from datasets import Dataset
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from tokenizers import Tokenizer, models
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer, RewardConfig, RewardTrainer
from trl.experimental.cpo import CPOTrainer
from trl.experimental.orpo import ORPOTrainer

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "models"))
from adapters import fill_factors, save_adapter

MODEL = HERE.parent / "models" / "qwen2_untied"
STEPS, BATCH = 10, 4
BETA, GAMMA, SMOOTHING, FTX = 0.3, 0.5, 0.1, 0.2
LOGGED = ("kl", "accuracy", "margin", "mean_reward", "min_reward", "max_reward", "nll_loss", "log_odds_ratio",
          "log_odds_chosen")
REFERENCE_SCALE = 0.875  # exact in binary: ftrun's test scales the same weights and gets the same numbers


def load():
    return transformers.AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32)


def reference_model():
    model = load()
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(REFERENCE_SCALE)
    return model


def tokenizer(vocab):
    """TRL asks for one; nothing is tokenized with it."""
    words = {f"t{i}": i for i in range(vocab)}
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="t0")), eos_token="t0", pad_token="t0")


def draw(generator, low, high, vocab):
    length = int(torch.randint(low, high + 1, (1,), generator=generator))
    return torch.randint(1, vocab, (length,), generator=generator).tolist()


def make_pairs(vocab):
    generator = torch.Generator().manual_seed(7)
    rows = []
    for _ in range(STEPS * BATCH):
        prompt, chosen, rejected = (draw(generator, *span, vocab) for span in ((3, 9), (2, 9), (2, 9)))
        margin = float(torch.randint(0, 9, (1,), generator=generator)) / 4
        rows.append({"prompt_ids": prompt, "chosen_ids": chosen, "rejected_ids": rejected, "margin": margin})
    return rows


def make_labelled(vocab, same_prompts=1):
    """`same_prompts` rows that follow each other have one prompt."""
    generator = torch.Generator().manual_seed(8)
    rows = []
    for index in range(STEPS * BATCH):
        prompt, answer = draw(generator, 3, 9, vocab), draw(generator, 2, 9, vocab)
        if index % same_prompts:
            prompt = rows[-1]["prompt_ids"]
        rows.append({"prompt_ids": prompt, "completion_ids": answer, "label": index % 4 != 1 and index % 7 != 0})
    for index, row in enumerate(rows):
        # Of the nearest earlier row with another prompt, round the data; TRL rotates inside each batch instead.
        other = next(rows[index - back] for back in range(1, len(rows)) if
                     rows[index - back]["prompt_ids"] != row["prompt_ids"])
        row["KL_completion_ids"] = other["completion_ids"]
    return rows


def config(cls, folder, **more):
    return cls(output_dir=folder, per_device_train_batch_size=BATCH, max_steps=STEPS, learning_rate=2e-3,
               lr_scheduler_type="linear", weight_decay=0.1, max_grad_norm=1.0, logging_steps=1, report_to="none",
               use_cpu=True, bf16=False, gradient_checkpointing=False, max_length=None, save_strategy="no", seed=1,
               train_sampling_strategy="sequential", disable_tqdm=True, **more)


def file_name(name):
    """A parameter's name in PEFT's file without its prefix; the name itself without an adapter."""
    return name.replace("base_model.model.", "", 1).replace("modules_to_save.", "").replace(".default", "")


class Recording:
    """The rows as they are, and loss, metrics and gradients of the first batch before any update."""

    def _prepare_dataset(self, dataset, *args, **kwargs):
        return dataset

    def record(self):
        batch = next(iter(self.get_train_dataloader()))
        self.model.train()
        self.model.zero_grad()
        loss = self.compute_loss(self.model, batch)
        loss.backward()
        found = {"first.loss": reals([loss.item()])}
        for name, values in self._metrics["train"].items():
            found["first." + name] = reals([values[-1]])
        for name, p in self.model.named_parameters():
            if p.requires_grad:
                found["first.grad." + file_name(name)] = p.grad.float().contiguous().clone()
        self.model.zero_grad()
        self._metrics["train"].clear()
        return found

    def run(self):
        out = self.record()
        self.train()
        history = [entry for entry in self.state.log_history if "loss" in entry]
        for name in ("loss", "grad_norm", "learning_rate"):
            out["train." + name] = reals([entry[name] for entry in history])
        for name in history[0]:
            if "/" in name or name in LOGGED:
                out["train." + name] = reals([entry.get(name, float("nan")) for entry in history])
        return out


class Pairs(Recording, DPOTrainer):
    """The four losses of DPOTrainer."""

    def training_step(self, model, inputs, *args, **kwargs):  # log_history rounds the loss to 4 digits
        loss = super().training_step(model, inputs, *args, **kwargs)
        self.exact.append(loss.item())
        return loss


class WrittenPairs(Pairs):
    """Losses that DPOTrainer does not have, on its batches and in its loop."""

    def _compute_loss(self, model, inputs, return_outputs):
        logps, tokens = self.sums(model, inputs)
        with torch.no_grad():
            reference, _ = self.sums(self.ref_model, inputs)
        loss, rewards = self.written(logps, tokens, reference)
        chosen, rejected = rewards.detach().chunk(2)
        logged = (logps / tokens if self.averages else logps).detach().chunk(2)
        for name, value in (("rewards/chosen", chosen), ("rewards/rejected", rejected),
                            ("rewards/accuracies", (chosen > rejected).float()), ("rewards/margins", chosen - rejected),
                            ("logps/chosen", logged[0]), ("logps/rejected", logged[1])):
            self._metrics["train"][name].append(value.mean().item())
        return loss

    @staticmethod
    def sums(model, inputs):
        logits = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False).logits
        mask = inputs["completion_mask"][:, 1:]
        logp = logits[:, :-1].log_softmax(-1).gather(2, inputs["input_ids"][:, 1:, None])[:, :, 0]
        return (logp * mask).sum(1), mask.sum(1)


class Orpo(WrittenPairs):
    averages = True

    def written(self, logps, tokens, reference):
        chosen, rejected = (logps / tokens).chunk(2)
        losses, *_, ratio, odds = ORPOTrainer.odds_ratio_loss(self, chosen, rejected)
        for name, value in (("nll_loss", -chosen.mean()), ("log_odds_ratio", ratio), ("log_odds_chosen", odds)):
            self._metrics["train"][name].append(value.item())
        return (-chosen - losses).mean(), self.beta * logps / tokens


class Simpo(WrittenPairs):
    averages, alpha, simpo_gamma = True, 0.0, GAMMA

    def written(self, logps, tokens, reference):
        self.loss_type, self.label_smoothing = "simpo", 0.0
        losses, *_ = CPOTrainer.cpo_loss(self, *(logps / tokens).chunk(2))
        return losses.mean(), self.beta * logps / tokens


class Smoothed(WrittenPairs):
    averages = False

    def written(self, logps, tokens, reference):
        ratios = logps - reference
        chosen, rejected = ratios.chunk(2)
        x = self.beta * (chosen - rejected)
        return (-(1 - SMOOTHING) * F.logsigmoid(x) - SMOOTHING * F.logsigmoid(-x)).mean(), self.beta * ratios


class Ftx(WrittenPairs):
    averages = False

    def written(self, logps, tokens, reference):
        ratios = logps - reference
        chosen, rejected = ratios.chunk(2)
        likelihood = (logps / tokens).chunk(2)[0]
        return (-F.logsigmoid(self.beta * (chosen - rejected)) - FTX * likelihood).mean(), self.beta * ratios


class Labelled(Recording, KTOTrainer):
    def training_step(self, model, inputs, *args, **kwargs):
        loss = super().training_step(model, inputs, *args, **kwargs)
        self.exact.append(loss.item())
        return loss


class LabelledFtx(Labelled):
    """LLaMA-Factory 0.9.5, train/kto/trainer.py, get_batch_loss_metrics: pref_ftx and its rescaling."""

    def _compute_loss(self, model, inputs, return_outputs):
        loss = super()._compute_loss(model, inputs, return_outputs)
        logps, tokens = WrittenPairs.sums(model, inputs)
        likelihood = (logps / tokens)[torch.as_tensor(inputs["label"], dtype=torch.bool)]
        return loss + FTX * -likelihood.mean() / len(likelihood) * len(inputs["label"])


class Rewards(Recording, RewardTrainer):
    def training_step(self, model, inputs, *args, **kwargs):
        loss = super().training_step(model, inputs, *args, **kwargs)
        self.exact.append(loss.item())
        return loss


class Text(Recording, transformers.Trainer):
    def training_step(self, model, inputs, *args, **kwargs):
        self.exact.append(None)
        return super().training_step(model, inputs, *args, **kwargs)

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        loss = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        if getattr(self, "exact", None):
            self.exact[-1] = loss.item()
        return loss


def pad_rows(rows):
    longest = max(len(row["input_ids"]) for row in rows)
    columns = {"input_ids": 0, "labels": -100, "attention_mask": 0}
    return {name: torch.tensor([row[name] + [fill] * (longest - len(row[name])) for row in rows])
            for name, fill in columns.items()}


def reals(values):
    return torch.tensor(values, dtype=torch.float64)


def ints(values):
    return torch.tensor(values, dtype=torch.int32)


def put_rows(out, documents, per_row, labels):
    """documents: (ids, prompt length); labels of the prompt are -100."""
    flat = [token for ids, _ in documents for token in ids]
    masked = [-100 if i < prompt else token for ids, prompt in documents for i, token in enumerate(ids)]
    out["rows.input_ids"], out["rows.labels"] = ints(flat), ints(masked)
    out["rows.document_lengths"] = ints([len(ids) for ids, _ in documents])
    out["rows.documents_per_row"] = ints([per_row])
    out["rows.annotation"] = reals(labels)


def pair_documents(rows):
    return [(row["prompt_ids"] + row[key], len(row["prompt_ids"]))
            for row in rows for key in ("chosen_ids", "rejected_ids")]


def finish(name, trainer, out):
    trainer.exact = []
    out |= trainer.run()
    out["train.loss"] = reals(trainer.exact)
    save_file({k.replace("/", "."): v for k, v in out.items()}, HERE / f"{name}.safetensors")
    print(name, out["first.loss"].item(), out["train.loss"][-1].item(), sorted(k for k in out if "grad." not in k))


def started(model):
    """`model` with the adapter of start_lora/, which is trained on."""
    folder = HERE / "start_lora"
    if not folder.exists():
        generator = torch.Generator().manual_seed(16)
        net = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=3, lora_alpha=6,
                                               target_modules=["q_proj", "v_proj", "down_proj"]))
        fill_factors(net, generator)
        save_adapter(net, folder, MODEL.name)
        model = load()
    return PeftModel.from_pretrained(model, folder, is_trainable=True)


def pair_case(name, cls, loss_type, starts=False):
    with tempfile.TemporaryDirectory() as folder:
        model = load()
        rows = make_pairs(model.config.vocab_size)
        args = config(DPOConfig, folder, beta=BETA, loss_type=loss_type,
                      label_smoothing=SMOOTHING if loss_type == "robust" else 0.0)
        dataset = Dataset.from_list([{k: v for k, v in row.items() if k != "margin"} for row in rows])
        trainer = cls(model=started(model) if starts else model, ref_model=None if starts else reference_model(),
                      args=args, train_dataset=dataset, processing_class=tokenizer(model.config.vocab_size))
        out = {}
        put_rows(out, pair_documents(rows), 2, [0.0] * len(rows))
        finish(name, trainer, out)


def label_case(name, cls, same_prompts=1, starts=False):
    with tempfile.TemporaryDirectory() as folder:
        model = load()
        rows = make_labelled(model.config.vocab_size, same_prompts)
        args = config(KTOConfig, folder, beta=BETA, desirable_weight=1.25, undesirable_weight=0.75)
        trainer = cls(model=started(model) if starts else model, ref_model=None if starts else reference_model(),
                      args=args, train_dataset=Dataset.from_list(rows),
                      processing_class=tokenizer(model.config.vocab_size))
        out = {}
        documents = [(row["prompt_ids"] + row["completion_ids"], len(row["prompt_ids"])) for row in rows]
        put_rows(out, documents, 1, [1.0 if row["label"] else 0.0 for row in rows])
        finish(name, trainer, out)


def with_bias(model):
    """A head as LLaMA-Factory's value head has it."""
    bias = torch.nn.Parameter(torch.tensor([0.25]))
    model.score.bias = bias
    return model, {"score.bias": bias.detach().clone()}


def with_pairs(model):
    """An adapter of task type SEQ_CLS, which trains a copy of the head; saved by PEFT into rm_lora/."""
    generator = torch.Generator().manual_seed(6)
    net = get_peft_model(model, LoraConfig(task_type="SEQ_CLS", r=3, lora_alpha=6,
                                           target_modules=["q_proj", "v_proj", "down_proj"]))
    fill_factors(net, generator, lambda name, p: p.mul_(1.5) if "modules_to_save" in name else None)
    save_adapter(net, HERE / "rm_lora", MODEL.name)
    return net, {}


def reward_case(name, margin, change=None):
    with tempfile.TemporaryDirectory() as folder:
        vocab = load().config.vocab_size
        rows = make_pairs(vocab)
        torch.manual_seed(5)
        model = transformers.AutoModelForSequenceClassification.from_pretrained(
            MODEL, num_labels=1, dtype=torch.float32, pad_token_id=0)
        with torch.no_grad():
            model.score.weight.copy_((torch.randn_like(model.score.weight) * 0.3).bfloat16().float())
        args = config(RewardConfig, folder, center_rewards_coefficient=0.05 if margin else None)
        keys = ("margin",) if margin else ()
        dataset = Dataset.from_list([{"chosen_ids": row["prompt_ids"] + row["chosen_ids"],
                                      "rejected_ids": row["prompt_ids"] + row["rejected_ids"],
                                      **{key: row[key] for key in keys}} for row in rows])
        out = {"score.weight": model.score.weight.detach().clone().contiguous()}
        if change:
            model, more = change(model)
            out |= more
        trainer = Rewards(model=model, args=args, train_dataset=dataset, processing_class=tokenizer(vocab))
        put_rows(out, pair_documents(rows), 2, [row["margin"] if margin else 0.0 for row in rows])
        finish(name, trainer, out)


def text_case(name):
    """Rows of plain text: every token but a row's first is a target; the Hugging Face trainer as it is."""
    with tempfile.TemporaryDirectory() as folder:
        model = load()
        generator = torch.Generator().manual_seed(9)
        lengths = [24] * (STEPS * BATCH - 1) + [7]
        ids = [torch.randint(0, model.config.vocab_size, (n,), generator=generator).tolist() for n in lengths]
        args = transformers.TrainingArguments(
            output_dir=folder, per_device_train_batch_size=BATCH, max_steps=STEPS, learning_rate=2e-3,
            lr_scheduler_type="linear", weight_decay=0.1, max_grad_norm=1.0, logging_steps=1, report_to="none",
            use_cpu=True, save_strategy="no", seed=1, train_sampling_strategy="sequential", disable_tqdm=True)
        # The first label is never predicted; masked, it is not counted either.
        rows = [{"input_ids": row, "labels": [-100] + row[1:], "attention_mask": [1] * len(row)} for row in ids]
        trainer = Text(model=model, args=args, train_dataset=Dataset.from_list(rows), data_collator=pad_rows)
        trainer._metrics = {"train": collections.defaultdict(list)}
        out = {}
        put_rows(out, [(row, 0) for row in ids], 1, [0.0] * len(ids))
        finish(name, trainer, out)


CASES = {
    "pt": lambda: text_case("pt"),
    "sigmoid": lambda: pair_case("sigmoid", Pairs, "sigmoid"), "hinge": lambda: pair_case("hinge", Pairs, "hinge"),
    "ipo": lambda: pair_case("ipo", Pairs, "ipo"), "robust": lambda: pair_case("robust", Pairs, "robust"),
    "orpo": lambda: pair_case("orpo", Orpo, "sigmoid"), "simpo": lambda: pair_case("simpo", Simpo, "sigmoid"),
    "smoothed": lambda: pair_case("smoothed", Smoothed, "sigmoid"), "ftx": lambda: pair_case("ftx", Ftx, "sigmoid"),
    "kto": lambda: label_case("kto", Labelled), "kto_ftx": lambda: label_case("kto_ftx", LabelledFtx),
    "dpo_start": lambda: pair_case("dpo_start", Pairs, "sigmoid", True),
    "kto_start": lambda: label_case("kto_start", Labelled, 2, True),
    "rm": lambda: reward_case("rm", False), "rm_margin": lambda: reward_case("rm_margin", True),
    "rm_bias": lambda: reward_case("rm_bias", False, with_bias), "rm_lora": lambda: reward_case("rm_lora", False, with_pairs),
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[[], *CASES], default=[])
    names = parser.parse_args().names
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    for case in names or CASES:
        CASES[case]()
