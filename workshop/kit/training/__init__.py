"""Fitting: the same order of samples, progress, history and resuming in every engine."""

from workshop.kit.training.history import History as History
from workshop.kit.training.keras import fit as fit
from workshop.kit.training.keras import make_optimizer as make_optimizer
from workshop.kit.training.keras import predict as predict
