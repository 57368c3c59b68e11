"""Two networks against each other, in PyTorch: the mirror of `workshop/gan.py`.

The same images, parts, options, metrics, plots and files. Keras has a `train_step` for it; here both steps stand in the
loop, and with them PyTorch's own question: whose gradients? `loss.backward()` adds to the gradient of every weight that
the loss came through. So each network's gradients are put to zero before its own loss goes back, and the drawn images
are detached for the discriminator's step: its loss stops at the image and does not go on into the generator.

    python -m workshop.pytorch.gan                       # both parts; then look into the folder plots
    python -m workshop.pytorch.gan --part digits         # the generator alone
    python -m workshop.pytorch.gan --quick               # a first look, in seconds

Expected, as with Keras: the CNN more than 0.9 sure of at least nine in ten drawn digits, the ten equally often, within
a minute on two CPU cores. Then `python -m apps.draw_digits 2026`.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

from workshop import gan as lesson
from workshop.gan import CLASSES, NAMES, NOISE, ROWS, Trained, Verdict
from workshop.kit import cli, files, metrics
from workshop.kit.data.images import ImageSet, scale_pixels
from workshop.kit.report import Report
from workshop.kit.saving import bundle
from workshop.kit.training import Recipe
from workshop.pytorch.kit import device, optimizers
from workshop.pytorch.kit.dataset import ArrayDataset, SeededBatches
from workshop.pytorch.kit.image_layers import ConvTranspose2dAsKeras
from workshop.pytorch.kit.layers import BatchNormAsKeras, initialize_as_keras
from workshop.pytorch.kit.layout import ReshapeAsKeras
from workshop.pytorch.kit.model import TorchModel
from workshop.pytorch.kit.state import TrainingState

STEPS_A_LOSS = 32  # that a point of the curves is the mean of, as in the lesson


class Generator(nn.Module):
    """42 numbers -> 32x7x7 -> 16x14x14 -> 1x28x28: transposed convolutions make images larger."""

    def __init__(self) -> None:
        super().__init__()
        self.start = nn.Sequential(
            nn.Linear(NOISE + CLASSES, 7 * 7 * 32, bias=False),  # the normalisation has a bias of its own
            BatchNormAsKeras(7 * 7 * 32, lesson.MOMENTUM),
            nn.ReLU(),
            ReshapeAsKeras((7, 7, 32)),
        )
        self.enlarge = nn.Sequential(
            ConvTranspose2dAsKeras(32, 16, 4, strides=2, keras_padding="same", bias=False),
            BatchNormAsKeras(16, lesson.MOMENTUM),
            nn.ReLU(),
            ConvTranspose2dAsKeras(16, 1, 4, strides=2, keras_padding="same"),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the images of 32 random numbers and a label, (n, 1, 28, 28)."""
        return self.enlarge(self.start(x))


class Discriminator(nn.Module):
    """1x28x28 -> 16x14x14 -> 32x7x7 -> 10: for each digit the logit of being a real image of it."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),  # some gradient below 0, too: the generator lives on it
            nn.Conv2d(16, 32, 4, stride=2, padding=1, bias=False),
            BatchNormAsKeras(32, lesson.MOMENTUM),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(7 * 7 * 32, CLASSES),
        )

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Returns the logits (n,) of images being real images of their labels."""
        return (self.layers(images) * labels).sum(dim=1)


class Film:
    """The losses of every few steps and the frames of the film; a checkpoint keeps them with the networks.

    Args:
        shown: after which steps a frame is drawn.
    """

    def __init__(self, shown: Sequence[int]) -> None:
        self.shown = frozenset(shown)
        self.frames: list[np.ndarray] = []
        self.losses: list[list[float]] = []  # of the generator and of the discriminator
        self._recent: list[list[float]] = []

    def log(self, *losses: float, is_last: bool) -> None:
        """Takes in the losses of a step; `is_last` says whether the epoch ends with it."""
        self._recent.append([*losses])
        if is_last or len(self._recent) == STEPS_A_LOSS:
            self.losses.append(np.mean(self._recent, axis=0).tolist())
            self._recent.clear()

    def state_dict(self) -> dict[str, Any]:
        """Returns what a checkpoint keeps."""
        return {"frames": torch.tensor(np.array(self.frames)), "losses": self.losses}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Puts it back."""
        self.frames, self.losses = [*state["frames"].numpy()], state["losses"]

    def as_trained(self, steps_an_epoch: int, epochs: int) -> Trained:
        """Returns it as the lesson's figures take it."""
        ends = [*range(STEPS_A_LOSS, steps_an_epoch, STEPS_A_LOSS), steps_an_epoch]
        passed = [epoch + end / steps_an_epoch for epoch in range(epochs) for end in ends]
        curves = dict(zip(("generator", "discriminator"), map(list, zip(*self.losses, strict=True)), strict=True))
        frames = np.stack(self.frames).reshape(-1, ROWS, CLASSES, 28, 28)
        return Trained(sorted(self.shown), frames, {name: (passed, values) for name, values in curves.items()})


def make_optimizer(
    network: nn.Module, recipe: Recipe, arguments: argparse.Namespace
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """Returns Adam with a short memory, as GANs take it, its rate falling in the last part of the training."""
    if arguments.optimizer is not None:
        return optimizers.make(recipe, network.parameters())
    assert recipe.steps is not None, "with_options() counts the steps"
    optimizer = torch.optim.Adam(network.parameters(), recipe.rate, betas=(0.5, 0.99), eps=optimizers.EPSILON)
    constant, falling = lesson.constant_and_falling(recipe.steps)
    scheduler = torch.optim.lr_scheduler
    parts = [scheduler.ConstantLR(optimizer, 1.0, constant), scheduler.CosineAnnealingLR(optimizer, falling)]
    return optimizer, scheduler.SequentialLR(optimizer, parts, milestones=[constant])


def average(old: torch.Tensor, new: torch.Tensor, steps: torch.Tensor | int) -> torch.Tensor:
    """Returns the moving average of a weight, after so many steps; the first ones are soon forgotten."""
    share = min(lesson.AVERAGED, int(steps) / (int(steps) + 10))
    return share * old + (1 - share) * new


def train(
    kind: str, digits: ImageSet, is_labelled: bool, arguments: argparse.Namespace, report: Report
) -> tuple[TorchModel, Trained]:
    """Trains a generator against a discriminator; returns the generator of averaged weights."""
    recipe, discriminator_recipe = lesson.choose_recipe(kind, arguments, len(digits.X_train))
    dataset = ArrayDataset(digits.X_train, lesson.label_rows(digits.y_train, is_labelled), preprocess=scale_pixels)
    batches = SeededBatches(len(dataset), recipe.batch_size, arguments.seed)
    loader = DataLoader(dataset, sampler=batches, batch_size=None)  # the sampler gives whole batches
    torch.manual_seed(arguments.seed)
    generator = initialize_as_keras(Generator()).to(device.choose_device())
    discriminator = initialize_as_keras(Discriminator()).to(device.choose_device())
    averaged = AveragedModel(generator, avg_fn=average, use_buffers=True)
    averaged.n_averaged += 1  # begins with the first weights, as in the lesson
    # The same network and weights as Keras and the .h5 have them.
    model = TorchModel(averaged.module, input_shape=(NOISE + CLASSES,))
    if kind == arguments.parts[0]:
        print(generator, discriminator, sep="\n")

    criterion = nn.BCEWithLogitsLoss()
    generator_optimizer, generator_scheduler = make_optimizer(generator, recipe, arguments)
    discriminator_optimizer, discriminator_scheduler = make_optimizer(discriminator, discriminator_recipe, arguments)
    inputs = lesson.film_inputs(is_labelled)
    film = Film(lesson.shown_steps(recipe.steps or 1))
    others = {
        "trained_generator": generator,  # beside that of averaged weights, `model`
        "discriminator": discriminator,
        "discriminator_optimizer": discriminator_optimizer,
        "discriminator_scheduler": discriminator_scheduler,
        "averaged": averaged,
        "film": film,
    }
    name = f"gan_{kind}{'' if is_labelled else '_unlabelled'}"
    state = TrainingState(report.checkpoint(name), recipe, model)
    for epoch in state.epochs(generator_optimizer, generator_scheduler, loader, others=others):
        if not film.frames:
            film.frames.append(model.predict(inputs))
        for step, (images, labels) in enumerate(loader, epoch * len(batches) + 1):
            images, labels = images.to(state.device), labels.to(state.device)
            noise = torch.randn(len(images), NOISE).to(state.device)
            drawn = generator(torch.cat([noise, labels], dim=1))

            # The discriminator: real images are to get 0.9, drawn ones 0. Detached, they are mere numbers.
            discriminator_optimizer.zero_grad()
            real_logits, drawn_logits = discriminator(images, labels), discriminator(drawn.detach(), labels)
            discriminator_loss = criterion(real_logits, torch.full_like(real_logits, lesson.REAL))
            discriminator_loss = discriminator_loss + criterion(drawn_logits, torch.zeros_like(drawn_logits))
            discriminator_loss.backward()
            discriminator_optimizer.step()
            discriminator_scheduler.step()

            # The generator: the same images, of the discriminator as it is now, are to get 1. This loss goes back
            # through the discriminator, and leaves gradients there: the next `zero_grad` takes them away.
            generator_optimizer.zero_grad()
            drawn_logits = discriminator(drawn, labels)
            generator_loss = criterion(drawn_logits, torch.ones_like(drawn_logits))
            generator_loss.backward()
            generator_optimizer.step()
            generator_scheduler.step()

            averaged.update_parameters(generator)
            losses = generator_loss.item(), discriminator_loss.item()
            state.log(len(images), loss=sum(losses), generator_loss=losses[0], discriminator_loss=losses[1])
            film.log(*losses, is_last=step % len(batches) == 0)
            if step in film.shown:
                film.frames.append(model.predict(inputs))
    return model, film.as_trained(len(batches), recipe.epochs)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Trains, evaluates, saves and draws the generators; returns the metrics."""
    arguments = lesson.parse(__doc__, argv)
    report = Report("gan", arguments, engine="torch")
    digits = lesson.load_digits(arguments, report)
    report.engine(device.prepare(arguments.seed))

    report.section("The classifier")
    classifier = bundle.load(files.shipped("models") / "mnist_cnn.h5", ["mnist"], TorchModel.from_bytes).model
    X_test = scale_pixels(digits.X_test)
    probabilities = classifier.predict(X_test)
    accuracy = metrics.accuracy(digits.y_test, probabilities)
    print(f"The CNN of the lesson mnist predicts the right digit for {accuracy:.2%} of the test images.")
    report.result({"classifier_test_accuracy": accuracy})

    verdicts: dict[str, Verdict] = {"real digits": lesson.evaluate_images(X_test, probabilities, digits.y_test)}
    use = ""
    if "digits" in arguments.parts:
        report.section("Generator against discriminator")
        is_labelled = not arguments.no_labels
        model, trained = train("digits", digits, is_labelled, arguments, report)
        verdict = lesson.report_generator(model.predict, classifier.predict, trained, is_labelled, digits, report)
        lesson.save(model, verdict, is_labelled, digits, report)
        verdicts[NAMES["digits"] if is_labelled else "without labels"] = verdict
        use = f"python -m apps.draw_digits --model {report.last_model} 2026" if is_labelled else ""
    if "collapse" in arguments.parts:
        report.section("Collapse: the discriminator's learning rate is a hundredth of the generator's")
        n = lesson.COLLAPSE_IMAGES
        first = replace(digits, X_train=digits.X_train[:n], y_train=digits.y_train[:n])
        collapsed, _ = train("collapse", first, False, arguments, report)
        verdicts[NAMES["collapse"]] = lesson.report_collapse(collapsed.predict, classifier.predict, report)
    report.section("Quality and variety of the digits")
    lesson.report_verdicts(verdicts, digits, report)
    return report.finish(use=use)


if __name__ == "__main__":
    cli.run(main)
