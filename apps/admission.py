"""Admission: the prediction of a saved model from two exam scores.

    python -m apps.admission                          # asks for the scores
    python -m apps.admission 45 85                    # predicts at once
    python -m apps.admission --model my.h5 45 85      # a model of your own, from another notebook

Any two scores are answered; one outside of the range of the training rows is noted. The model is admission.h5 (or
admission.keras) in the current folder, as a notebook saves it, else in the folder models, else the one that ships,
which `python -m workshop.admission` trains. One of your own takes two inputs and has one sigmoid output, or two
softmax outputs of which the second is "admitted"; of logits the sigmoid or the softmax is taken. Its scaler is the one
that `--scaler` names, else my-scaler.gz, .pkl, .joblib, .save or .bin beside it; where there is none, the scores are
scaled to 0..1 over the ranges that the lesson's model was trained on.
"""

from collections.abc import Sequence

from workshop.kit import cli
from workshop.kit.errors import WorkshopError
from workshop.kit.saving import bundle
from workshop.kit.saving.loaded import Bundle
from workshop.programs import console, engines
from workshop.programs.probabilities import take_probabilities

NAME = "admission"


def probability_of_admission(model: Bundle, scores: Sequence[float], inputs: Sequence[bundle.Input]) -> float:
    """Returns the predicted probability; `inputs` are the ranges for a bare model without a scaler.

    Raises:
        WorkshopError: the model has other inputs or outputs.
    """
    import numpy as np

    console.check_shapes(model, inputs=[(2,)], outputs=[1, 2])
    X = np.array([scores], np.float32)
    if not model.is_verified and model.scaler is None:
        low = np.array([score.minimum for score in inputs])
        high = np.array([score.maximum for score in inputs])
        X = (X - low) / (high - low)
    probability = float(model.predict(X)[0, -1])
    if not 0 <= probability <= 1:
        raise WorkshopError(f"{model.path} predicts {probability:g}, no probability: its last layer takes a sigmoid")
    return probability


def main(argv: Sequence[str] | None = None) -> None:
    """Asks for two scores, unless they are given, and prints the prediction."""
    parser = console.Parser(__doc__, NAME)
    parser.add_argument("scores", nargs="*", metavar="SCORE", help="the two scores; without them you are asked")
    console.add_scaler(parser)
    arguments = parser.parse_args(argv)
    path = arguments.model
    inputs: Sequence[bundle.Input] = bundle.read_inputs(path, [NAME])
    if not inputs:
        of_the_lesson = bundle.read_inputs(bundle.find(NAME, has_card=True), [NAME])
        inputs = console.inputs_without_card(path, of_the_lesson, arguments.scaler)
    if arguments.scores:
        scores = console.check_numbers(arguments.scores, inputs)
    else:
        scores = [console.ask_number(column) for column in inputs]

    model = take_probabilities(engines.load(path, [NAME], arguments.engine, arguments.scaler))
    scaled = "" if model.scaler else f"scaled to 0..1 over the ranges of the {NAME} model, "
    console.note_unverified(model, f"two scores, {scaled}and the last output is the probability of admission")
    console.note_other_scalers(model)
    probability = probability_of_admission(model, scores, inputs)
    console.note_outside(scores, inputs)
    threshold = model.card.get("threshold")
    verdict = "Admitted" if probability >= (0.5 if threshold is None else threshold) else "Sorry"
    print(f"{verdict} (probability of admission {console.percent(probability)})")
    engines.show_side_by_side(model, lambda output: console.percent(float(output[-1])))


if __name__ == "__main__":
    cli.run(main, stopped="stopped")
