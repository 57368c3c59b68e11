"""Metrics by scikit-learn, named as the package names metrics."""

import numpy as np


def regression(prefix: str, y_true: np.ndarray, y_predicted: np.ndarray) -> dict[str, float]:
    """Returns `<prefix>_root_mean_squared_error` and `<prefix>_r2_score`, the first in the unit of y."""
    from sklearn.metrics import r2_score, root_mean_squared_error

    y_predicted = np.reshape(y_predicted, np.shape(y_true))
    return {
        f"{prefix}_root_mean_squared_error": float(root_mean_squared_error(y_true, y_predicted)),
        f"{prefix}_r2_score": float(r2_score(y_true, y_predicted)),
    }


def two_classes(prefix: str, y_true: np.ndarray, probability: np.ndarray, threshold: float) -> dict[str, float]:
    """Returns accuracy, precision, recall and F1 of a two-class model, from the probabilities of class 1 (n,)."""
    from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

    predicted = (np.ravel(probability) >= threshold).astype(int)
    y_true = np.ravel(y_true).astype(int)
    return {
        f"{prefix}_accuracy": float(accuracy_score(y_true, predicted)),
        f"{prefix}_precision": float(precision_score(y_true, predicted, zero_division=0)),
        f"{prefix}_recall": float(recall_score(y_true, predicted, zero_division=0)),
        f"{prefix}_f1": float(f1_score(y_true, predicted, zero_division=0)),
    }


def accuracy(y_true: np.ndarray, probabilities: np.ndarray) -> float:
    """Returns the share of samples whose most probable class (n, classes) is the true one (n,)."""
    return float(np.mean(np.argmax(probabilities, axis=1) == y_true))


def confusion_matrix(y_true: np.ndarray, y_predicted: np.ndarray, classes: int) -> np.ndarray:
    """Returns the counts (classes, classes): rows the true classes, columns the predicted ones."""
    from sklearn.metrics import confusion_matrix as count

    return np.asarray(count(y_true, y_predicted, labels=range(classes)))


def most_confident_mistakes(y_true: np.ndarray, probabilities: np.ndarray, count: int) -> np.ndarray:
    """Returns the samples that are wrong with the highest probability, their numbers, the worst first."""
    predicted = np.argmax(probabilities, axis=1)
    wrong = np.flatnonzero(predicted != y_true)
    confidence = probabilities[wrong, predicted[wrong]]
    return wrong[np.argsort(-confidence, kind="stable")][:count]
