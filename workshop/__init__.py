"""A workshop in a box: neural networks taught with Keras, PyTorch and NumPy.

`LESSONS` is the one place that names the lessons: the list that `python -m workshop` prints, and the tests that run
over every lesson, are made from it. Nothing heavy is imported here.
"""

from workshop.kit import shadows as shadows  # first: it watches what the next imports find

# isort: split

import math
from collections.abc import Mapping
from typing import NamedTuple

__version__ = "0.1.0"


class Lesson(NamedTuple):
    """One lesson: the module `workshop.<name>`.

    Attributes:
        name: the module's name.
        title: what one builds, in a line.
        seconds: about how long the default run takes on two CPU cores, on the real data.
        mirrors: the engines that have a mirror of it: `workshop.pytorch.<name>`, `workshop.scratch.<name>`.
        trains: whether it trains and saves models; one that does not has no options for that.
        acts: whether its models learn by acting: their samples are made while they train, there is no data to load and
            none for `fit` to take.
        expected: the band of each metric that a default run on the lesson's own data reaches, (lowest, highest).
        expected_of: where an engine's or a preset's band is another, by its name: {"numpy": {...}, "course": {...}}.
    """

    name: str
    title: str
    seconds: int
    mirrors: tuple[str, ...] = ("torch", "numpy")
    trains: bool = True
    acts: bool = False
    expected: Mapping[str, tuple[float, float]] = {}
    expected_of: Mapping[str, Mapping[str, tuple[float, float]]] = {}

    def bands(self, engine: str = "keras", preset: str | None = None) -> dict[str, tuple[float, float]]:
        """Returns the expected bands of a run by this engine, with the options of a preset."""
        return {**self.expected, **self.expected_of.get(engine, {}), **self.expected_of.get(preset or "", {})}


def at_least(lowest: float) -> tuple[float, float]:
    """Returns the band from `lowest` up."""
    return lowest, math.inf


def at_most(highest: float) -> tuple[float, float]:
    """Returns the band up to `highest`."""
    return -math.inf, highest


LESSONS = (
    Lesson(
        "tensors",
        "Arrays in NumPy, TensorFlow and PyTorch, side by side",
        10,
        (),
        trains=False,
        expected={
            "numpy_test_max_error": at_most(1e-8),
            "tensorflow_test_max_error": at_most(0),
            "torch_test_max_error": at_most(0),
            "loops_test_max_error": at_most(1e-12),
        },
    ),
    Lesson(
        "linear_regression",
        "One neuron draws a line: house prices, and why features are scaled",
        15,
        expected={
            "line_test_max_error": at_most(0.05),
            "houses_weights_train_max_error": at_most(1e-3),
            "unscaled_train_r2_score": at_most(0.95),
            "unscaled_slow_train_r2_score": at_most(0.95),
            "scaled_weights_train_max_error": at_most(1),
            "scaled_test_r2_score": at_least(0.90),
        },
    ),
    Lesson(
        "gradient_descent",
        "Down a loss surface: six learning rates, momentum, divergence",
        6,
        (),
        trains=False,
        expected={  # it is 73.7 where the descent starts
            "plain_020_train_mean_squared_error": at_most(73.7),
            "plain_030_train_mean_squared_error": at_most(73.7),
            "plain_040_train_mean_squared_error": at_most(73.7),
            "plain_050_train_mean_squared_error": at_most(73.7),
            "plain_060_train_mean_squared_error": at_least(73.7),
            "plain_070_train_mean_squared_error": at_least(73.7),
            "momentum_020_train_mean_squared_error": at_most(73.7),
            "momentum_030_train_mean_squared_error": at_most(73.7),
            "momentum_040_train_mean_squared_error": at_most(73.7),
            "momentum_050_train_mean_squared_error": at_most(73.7),
            "momentum_060_train_mean_squared_error": at_most(73.7),
            "momentum_070_train_mean_squared_error": at_most(73.7),
        },
    ),
    Lesson(
        "training_choices",
        "Rows a step, learning rate, when to stop, several outputs",
        15,
        trains=False,
        expected={
            "by_hand_weights_train_max_error": at_most(0.1),
            "batch_weights_train_max_error": at_least(500),
            "mini_batch_weights_train_max_error": at_most(250),
            "stochastic_weights_train_max_error": at_most(500),
            "chosen_rate_test_r2_score": at_least(0.90),
            "kept_to_best_validation_max_error": at_most(0),
            "last_to_kept_validation_max_error": at_least(19),
            "two_outputs_train_max_error": at_most(0.1),
        },
    ),
    Lesson(
        "tables",
        "Any table with a number or a class to predict: concrete and cars",
        20,
        expected={
            "concrete_network_test_root_mean_squared_error": at_most(6),
            "car_network_test_accuracy": at_least(0.97),
        },
    ),
    Lesson(
        "logistic_regression",
        "One neuron decides: tumours, the sigmoid and cross-entropy",
        12,
        expected={"test_accuracy": at_least(0.96)},
    ),
    Lesson(
        "perceptron",
        "The first neuron that learned: a line that moves with each mistake",
        7,
        (),
        trains=False,
        expected={
            "online_train_accuracy": at_least(1),
            "mini_batch_train_accuracy": at_least(1),
            "batch_train_accuracy": at_least(1),
            "parallel_train_accuracy": at_least(1),
            "parallel_train_max_error": at_most(0),
            "momentum_5_train_accuracy": at_least(1),
            "momentum_9_train_accuracy": at_least(1),
            "outlier_online_train_accuracy": at_most(0.7),
            "outlier_batch_train_accuracy": at_least(0.8),
            "classes_train_max_error": at_most(1e-12),
            "sklearn_train_max_error": at_most(1e-12),
            "adaline_train_accuracy": at_least(0.93),
            "adaline_train_max_error": at_most(1e-6),
        },
    ),
    Lesson(
        "metrics",
        "How good is it: rates, ROC, folds, overfitting, bias and variance",
        8,
        (),
        trains=False,
        expected={  # the overfitted models are better on their own samples and worse on others
            "polynomial_train_root_mean_squared_error": at_most(1e-9),
            "polynomial_test_root_mean_squared_error": at_least(2.1),
            "line_train_root_mean_squared_error": at_least(0.5),
            "line_test_root_mean_squared_error": at_most(3.5),
            "svr_over_train_root_mean_squared_error": at_most(0.16),
            "svr_over_test_root_mean_squared_error": at_least(0.35),
            "svr_well_train_root_mean_squared_error": at_least(0.12),
            "svr_well_test_root_mean_squared_error": at_most(0.6),
            "svr_scale_test_root_mean_squared_error": at_most(0.34),
            "svr_smooth_test_root_mean_squared_error": at_most(0.34),
            "svr_auto_train_root_mean_squared_error": at_most(0.22),
            "svr_auto_test_root_mean_squared_error": at_least(0.34),
            "decomposition_test_max_error": at_most(0.05),
        },
    ),
    Lesson(
        "admission",
        "Two exam scores, admitted or not: straight and curved boundaries",
        20,
        expected={"neuron_train_accuracy": (0.89, 0.92), "network_train_accuracy": at_least(0.99)},
    ),
    Lesson(
        "xor",
        "The problem one neuron cannot solve, and the hidden layer that can",
        15,
        expected={
            "network_train_accuracy": at_least(1),
            "network_train_mean_squared_error": at_most(0.01),
            "hidden_1_test_accuracy": at_most(0.80),
            "hidden_4_test_accuracy": at_least(0.99),
            "step_2_train_root_mean_squared_error": at_most(0.1),  # these are of --part shapes
            "step_6_train_root_mean_squared_error": at_most(0.1),
            "step_7_train_root_mean_squared_error": at_most(0.1),
            "sine_2_train_root_mean_squared_error": at_least(0.25),
            "sine_6_train_root_mean_squared_error": at_most(0.2),
            "sine_7_train_root_mean_squared_error": at_most(0.2),
            "circle_test_accuracy": at_least(0.93),
            "three_classes_test_accuracy": at_least(0.95),
        },
        expected_of={"course-2-4-1": {"network_test_accuracy": at_least(0.99)}},
    ),
    Lesson(
        "activations",
        "The output of a neuron, and the slope that training needs",
        14,
        (),
        trains=False,
        expected={
            "keras_value_test_max_error": at_most(1e-6),
            "keras_derivative_test_max_error": at_most(1e-6),
            "keras_softmax_test_max_error": at_most(1e-6),
            "keras_jacobian_test_max_error": at_most(1e-6),
            "torch_value_test_max_error": at_most(1e-6),
            "torch_derivative_test_max_error": at_most(1e-6),
            "torch_softmax_test_max_error": at_most(1e-6),
            "torch_jacobian_test_max_error": at_most(1e-6),
            "differences_derivative_test_max_error": at_most(1e-6),
            "differences_jacobian_test_max_error": at_most(1e-6),
        },
    ),
    Lesson(
        "backpropagation",
        "The 2-2-2 network by hand, number by number, then any depth",
        15,
        (),
        trains=False,
        expected={
            "numpy_test_max_error": at_most(1e-8),
            "keras_test_max_error": at_most(1e-8),
            "keras_trained_test_max_error": at_most(1e-8),
            "torch_test_max_error": at_most(1e-8),
            "torch_trained_test_max_error": at_most(1e-8),
            "train_mean_squared_error": (3.50e-5, 3.52e-5),
            "gradient_check_test_max_error": at_most(1e-8),
            "moons_0_hidden_test_accuracy": at_most(0.92),
            "moons_1_hidden_test_accuracy": at_least(0.98),
            "moons_2_hidden_test_accuracy": at_least(0.98),
        },
    ),
    Lesson(
        "autodiff",
        "How programs compute derivatives: dual numbers and a tape",
        10,
        (),
        trains=False,
        expected={
            "tape_test_max_error": at_most(1e-10),
            "torch_test_max_error": at_most(1e-10),
            "tensorflow_test_max_error": at_most(1e-10),
            "network_test_max_error": at_most(1e-8),
            "xor_train_accuracy": at_least(1),
            "xor_train_mean_squared_error": at_most(0.01),
        },
    ),
    Lesson(
        "mnist",
        "Handwritten digits: a dense network against a convolutional one",
        40,
        expected={"dense_test_accuracy": at_least(0.975), "cnn_test_accuracy": at_least(0.990)},
        expected_of={  # the presets': around seeds 1, 2 and 3 of the three engines, and the course's own accuracies
            "numpy": {"cnn_test_accuracy": at_least(0.98)},
            "course-dense": {"dense_train_accuracy": (0.978, 0.990), "dense_test_accuracy": (0.965, 0.977)},
            "course-cnn": {"cnn_train_accuracy": (0.980, 0.995), "cnn_test_accuracy": (0.980, 0.992)},
        },
    ),
    Lesson(
        "fashion_mnist",
        "Garments, the harder digits: the same two networks",
        60,
        expected={"dense_test_accuracy": at_least(0.88), "cnn_test_accuracy": at_least(0.915)},
        expected_of={"numpy": {"cnn_test_accuracy": at_least(0.88)}},
    ),
    Lesson(
        "optimizers",
        "Nine ways down: momentum, Rprop, Adam, raced and their memory counted",
        55,
        trains=False,
        expected={
            "keras_steps_test_max_error": at_most(1e-6),
            "torch_steps_test_max_error": at_most(1e-6),
            "torch_terms_test_max_error": at_most(1e-6),
            "nine_and_one_sgd_train_max_error": at_most(1e-9),
            "nine_and_one_rprop_train_max_error": at_least(300),
            "sgd_test_accuracy": at_least(0.935),
            "momentum_test_accuracy": at_least(0.955),
            "nesterov_test_accuracy": at_least(0.955),
            "rprop_test_accuracy": at_most(0.92),
            "adagrad_test_accuracy": at_least(0.92),
            "rmsprop_test_accuracy": at_least(0.93),
            "adam_test_accuracy": at_least(0.95),
            "nadam_test_accuracy": at_least(0.95),
            "adadelta_test_accuracy": at_least(0.94),
            "constant_validation_log_loss": at_least(0.45),
            "lowered_validation_log_loss": at_most(0.5),
            "lowered_test_accuracy": at_least(0.915),
        },
    ),
    Lesson(
        "initialization",
        "The weights to start from: saturated, vanished, equal and dead units",
        40,
        trains=False,
        expected={
            "tanh_xavier_test_accuracy": at_least(0.90),
            "tanh_too_small_test_accuracy": (0.09, 0.12),
            "tanh_too_large_test_accuracy": at_most(0.5),
            "tanh_zeros_test_accuracy": (0.09, 0.12),
            "zeros_train_max_error": at_most(0.05),
            "tanh_constant_test_accuracy": at_most(0.3),
            "tanh_lecun_test_accuracy": at_least(0.90),
            "tanh_he_test_accuracy": at_least(0.90),
            "sigmoid_xavier_test_accuracy": (0.09, 0.12),
            "relu_xavier_test_accuracy": at_least(0.88),
            "relu_he_test_accuracy": at_least(0.88),
            "deep_relu_xavier_test_accuracy": at_most(0.7),
            "deep_relu_he_test_accuracy": at_least(0.8),
            "tanh_too_small_normalised_test_accuracy": at_least(0.8),
            "tanh_too_large_normalised_test_accuracy": (0.65, 0.8),
            "sigmoid_xavier_normalised_test_accuracy": at_least(0.86),
            "tanh_zeros_units_train_max_error": at_most(1e-4),
            "tanh_constant_units_train_max_error": at_most(1e-4),
            "usual_test_accuracy": at_least(0.86),
            "large_rate_test_accuracy": at_most(0.6),
            "negative_inputs_test_accuracy": at_most(0.6),
            "bad_start_test_accuracy": at_most(0.5),
            "bad_start_normalised_test_accuracy": at_least(0.82),
        },
    ),
    Lesson(
        "experiments",
        "The second day: one change at a time, side by side, in accuracy and seconds",
        50,
        (),
        trains=False,
        expected={
            "sgd_test_accuracy": (0.87, 0.92),
            "adam_test_accuracy": at_least(0.96),
            "relu_test_accuracy": at_least(0.97),
            "units_512_test_accuracy": at_least(0.97),
            "units_1024_test_accuracy": at_least(0.97),
            "two_layers_test_accuracy": at_least(0.97),
            "epochs_15_test_accuracy": at_least(0.975),
            "epochs_30_test_accuracy": at_least(0.975),
            "unscaled_test_accuracy": (0.88, 0.96),
            "cnn_test_accuracy": at_least(0.985),
            "chosen_rate_train_log_loss": at_most(0.2),
            "fashion_sgd_test_accuracy": (0.77, 0.84),
            "fashion_adam_test_accuracy": at_least(0.85),
            "fashion_relu_test_accuracy": at_least(0.85),
            "fashion_units_512_test_accuracy": at_least(0.85),
            "fashion_two_layers_test_accuracy": at_least(0.85),
            "fashion_unscaled_test_accuracy": (0.6, 0.87),
            "fashion_chosen_rate_train_log_loss": at_most(0.7),
        },
    ),
    Lesson(
        "regularization",
        "Overfitting, and ten remedies: penalties, dropout, distorted images",
        50,
        expected={
            "few_train_accuracy": at_least(1),
            "few_test_accuracy": (0.79, 0.85),
            "all_test_accuracy": at_least(0.935),
            "combined_test_accuracy": at_least(0.91),
            "few_train_log_loss": (0.003, 0.007),
            "few_test_log_loss": at_least(1.45),
            "few_lowest_test_log_loss": at_most(1.45),
            "all_train_accuracy": at_least(0.945),
            "plain_test_accuracy": (0.79, 0.845),
            "l2_test_accuracy": (0.86, 0.89),
            "l1_test_accuracy": (0.84, 0.88),
            "dropout_20_test_accuracy": (0.83, 0.87),
            "dropout_50_test_accuracy": (0.83, 0.87),
            "max_norm_test_accuracy": (0.86, 0.89),
            "early_stopping_test_accuracy": (0.77, 0.84),
            "fewer_units_test_accuracy": (0.76, 0.815),
            "affine_test_accuracy": (0.86, 0.91),
            "elastic_test_accuracy": (0.86, 0.90),
            "elastic_train_accuracy": (0.89, 0.94),
            "combined_train_accuracy": (0.93, 0.97),
        },
        expected_of={
            "simard": {
                "simard_plain_test_accuracy": at_least(0.978),
                "simard_affine_test_accuracy": at_least(0.987),
                "simard_elastic_test_accuracy": at_least(0.991),
            },
        },
    ),
    Lesson(
        "convolution",
        "Filters by hand: blur, sharpen, find edges, pad, stride, pool",
        13,
        (),
        trains=False,
        expected={
            "scipy_test_max_error": at_most(1e-6),
            "keras_test_max_error": at_most(1e-6),
            "torch_test_max_error": at_most(1e-6),
            "loops_test_max_error": at_most(1e-6),
            "theorem_test_max_error": at_most(1e-10),
            "channels_test_max_error": at_most(1e-6),
            "associative_test_max_error": at_most(1e-12),
            "associative_correlation_test_max_error": at_least(0.1),
        },
    ),
    Lesson(
        "cats_vs_dogs",
        "Photos from folders: ten million weights against a network for few photos",
        55,
        ("torch",),
        expected={"small_validation_accuracy": at_least(0.85)},
    ),
    Lesson(
        "transfer_learning",
        "A network pre-trained on other images, fine-tuned on your few photos",
        55,
        ("torch",),
        expected={"finetuned_validation_accuracy": at_least(0.75)},
    ),
    Lesson(
        "banknotes",
        "Seven banknotes by a published network, frozen but for its last layer: PyTorch",
        55,
        (),
        expected={
            "features_train_max_error": at_most(1e-4),
            "frozen_test_accuracy": at_least(0.9),
            "scratch_test_accuracy": at_most(0.85),
        },
    ),
    Lesson(
        "rnn",
        "An image read row by row: SimpleRNN, LSTM, GRU, vanishing gradients",
        45,
        ("torch",),
        expected={
            "differences_test_max_error": at_most(1e-4),
            "keras_forward_test_max_error": at_most(1e-5),
            "keras_gradient_test_max_error": at_most(1e-4),
            "torch_forward_test_max_error": at_most(1e-5),
            "torch_gradient_test_max_error": at_most(1e-4),
            "variants_differences_test_max_error": at_most(1e-4),
            "variants_keras_forward_test_max_error": at_most(1e-5),
            "variants_keras_gradient_test_max_error": at_most(1e-4),
            "variants_torch_forward_test_max_error": at_most(1e-5),
            "variants_torch_gradient_test_max_error": at_most(1e-4),
            "simple_test_accuracy": at_least(0.97),
            "lstm_test_accuracy": at_least(0.985),
            "gru_test_accuracy": at_least(0.985),
        },
        expected_of={
            "course": {
                "simple_test_accuracy": at_least(0.97),
                "lstm_test_accuracy": at_least(0.9876),
                "gru_test_accuracy": at_least(0.9784),
            },
            "large": {
                "simple_test_accuracy": at_least(0.9783),
                "lstm_test_accuracy": at_least(0.9876),
                "gru_test_accuracy": at_least(0.9784),
            },
        },
    ),
    Lesson(
        "forecasting",
        "Sunspots a year ahead: an LSTM against a linear model and naive forecasts",
        15,
        ("torch",),
        expected={
            "lstm_test_root_mean_squared_error": at_most(26),
            "lstm_one_step_test_root_mean_squared_error": at_most(20),
        },
    ),
    Lesson(
        "text_generation",
        "A network reads a book, character by character, and generates text",
        45,
        ("torch",),
        expected={"bits_test_log_loss": at_most(2.3)},
    ),
    Lesson(
        "autoencoder",
        "Images through a narrow layer: PCA found again, noise taken off",
        50,
        expected={
            "linear_test_mean_squared_error": at_most(0.038),
            "linear_angle_train_max_error": at_most(0.01),
            "linear_excess_test_max_error": (-0.01, 0.01),
            "deep_test_mean_squared_error": at_most(0.006),
            "pca_test_mean_squared_error": (0.016, 0.018),
            "convolutional_test_mean_squared_error": at_most(0.008),
            "denoiser_test_mean_squared_error": at_most(0.02),  # half of the noisy images' is 0.058
            "noisy_test_mean_squared_error": at_least(0.1),
            "anomaly_test_roc_auc": at_least(0.99),
            "numbers_test_max_error": at_most(1e-6),
            "missing_test_mean_squared_error": at_most(0.025),
            "codes_test_mean_squared_error": at_most(0.045),
            "codes_test_accuracy": at_least(0.55),
        },
        expected_of={"numpy": {"convolutional_test_mean_squared_error": at_most(0.02)}},
    ),
    Lesson(
        "clustering",
        "Groups without labels: k-means, self-organising maps, ART1",
        20,
        (),
        trains=False,
        expected={
            "labels_train_zero_one_loss": at_most(0),
            "inertia_train_max_error": at_most(1e-9),
            "random_start_train_success_rate": (0.75, 0.99),
            "plus_plus_train_success_rate": at_least(0.88),
            "sklearn_start_train_success_rate": at_least(0.97),
            "train_silhouette_score": at_least(0.65),
            "train_adjusted_rand_score": at_least(0.93),
            "net_topographic_train_zero_one_loss": at_most(0.05),
            "colours_train_mean_squared_error": at_most(0.002),
            "colours_topographic_train_zero_one_loss": at_most(0.08),
            "digits_test_mean_squared_error": at_most(0.04),
            "digits_test_accuracy": at_least(0.72),
            "digits_topographic_test_zero_one_loss": at_most(0.2),
            "art_again_train_zero_one_loss": at_most(0),
        },
    ),
    Lesson(
        "boltzmann",
        "Restricted Boltzmann machines: digits dreamt, ratings, pre-training",
        50,
        ("torch",),
        expected={
            "machine_test_mean_squared_error": at_most(0.006),
            "differences_test_max_error": at_most(1e-8),
        },
    ),
    Lesson(
        "gan",
        "A generator of digits against a discriminator, and how it collapses",
        50,
        ("torch",),
        expected={
            "certain_test_success_rate": at_least(0.9),
            "test_accuracy": at_least(0.95),
            "test_entropy": at_least(0.98),
            "real_certain_test_success_rate": (0.95, 0.99),
            "judge_test_accuracy": at_least(0.985),
            "collapse_test_entropy": at_most(0.6),
            "collapse_distance_test_root_mean_squared_error": at_most(0.2),  # 0.37 of real digits
        },
    ),
    Lesson(
        "q_learning",
        "Decision processes: value iteration, blackjack by Monte Carlo, the cliff",
        10,
        (),
        trains=False,
        expected={
            "processes_test_max_error": at_most(1e-9),
            "blackjack_exact_test_max_error": at_most(0.0005),
            "blackjack_test_mean_absolute_error": at_most(0.02),
            "blackjack_test_max_error": (0.04, 0.12),
            "blackjack_test_accuracy": at_least(0.97),
            "blackjack_players_test_mean_absolute_error": at_most(0.006),
            "blackjack_players_test_max_error": at_most(0.03),
            "blackjack_players_test_accuracy": at_least(0.985),
            "q_learning_train_mean_return": (-57, -44),
            "q_learning_test_mean_return": (-13, -13),
            "sarsa_train_mean_return": (-32, -23),
            "sarsa_test_mean_return": (-17, -15),
            "expected_sarsa_train_mean_return": (-22.5, -19.5),
            "expected_sarsa_test_mean_return": (-15, -15),
        },
    ),
    Lesson(
        "deep_q_network",
        "A car with headlights learns to find the gas station: deep Q-learning",
        40,
        ("torch",),
        acts=True,
        expected={
            "test_success_rate": at_least(0.95),
            "sums_test_success_rate": at_most(0.6),
            "no_replay_test_success_rate": at_least(0.9),
            "no_exploration_test_success_rate": at_least(0.85),
            "test_mean_return": at_least(1.9),
            "random_test_success_rate": at_most(0.05),
            "straight_test_success_rate": at_most(0.05),
            "steering_test_success_rate": (0.25, 0.45),
            "step_test_max_error": at_most(1e-9),
        },
        expected_of={"course": {"test_success_rate": at_most(0.5), "test_mean_return": at_most(1.2)}},
    ),
    Lesson(
        "policy_gradient",
        "A policy learns by its gradient: a car, and a lander that lands",
        55,
        ("torch",),
        acts=True,
        expected={
            "gradient_test_max_error": at_most(1e-6),
            "car_normalised_test_success_rate": at_least(0.95),
            "car_actor_critic_test_success_rate": at_least(0.95),
            "test_mean_return": at_least(200),
            "test_success_rate": at_least(0.9),
            "ppo_test_mean_return": at_least(200),
        },
    ),
    Lesson(
        "pytorch_basics",
        "PyTorch as it is written: modules, data, the loop, a checkpoint",
        6,
        (),
        trains=False,
        expected={
            "linear_test_max_error": at_most(1e-6),
            "losses_test_max_error": at_most(1e-6),
            "train_accuracy": at_least(1),
            "test_accuracy": at_least(1),
            "resumed_train_max_error": at_most(0),
            "without_optimizer_train_max_error": at_least(0.1),
            "without_epoch_train_max_error": at_least(0.02),
        },
    ),
)
