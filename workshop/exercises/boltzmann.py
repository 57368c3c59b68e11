"""Exercises on the lesson `boltzmann`: energies, hidden units, contrastive divergence, the gap, a shrunk bias."""

from __future__ import annotations

import numpy as np

from workshop.exercises.kit.exercise import Exercise, Mistake

W = np.array([[1.0, -2.0], [0.5, 3.0], [-1.5, 0.25]])
B = np.array([0.1, -0.4, 0.7])
C = np.array([-1.0, 0.3])
V = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
V_K = np.array([[1.0, 1.0, 1.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
H = np.array([[0.9, 0.2], [0.6, 0.7], [0.1, 0.8], [0.5, 0.3]])
H_K = np.array([[0.4, 0.2], [0.3, 0.9], [0.5, 0.6], [0.7, 0.1]])

EXERCISES = (
    Exercise(
        title="The energy of a state",
        task="Return the energy of one state of a machine: E = -(sum of v_i W_ij h_j) - (sum of b_i v_i) - (sum of c_j "
        "h_j). v are the visible units and h the hidden ones, each 0 or 1.",
        stub='''\
def energy(v, h, W, b, c):
    """Returns the energy, a number, of v (visible,) and h (hidden,), with W (visible, hidden), b and c."""
    ...
''',
        solution="""\
def energy(v, h, W, b, c):
    return -(v @ W @ h) - b @ v - c @ h
""",
        explanation="A weight counts only where both of its units are 1. A positive one then makes the energy lower, "
        "and the state likelier: these two units like to be on together.",
        hints=(
            "v @ W @ h is the sum over all pairs of a visible and a hidden unit.",
            "b @ v is the sum of the biases of the visible units that are 1.",
            "There are three sums, and each has a minus in front of it.",
        ),
        mistakes=(
            Mistake(
                "sign",
                "Your signs are turned round: a likely state would have a high energy.",
                "def energy(v, h, W, b, c):\n    return v @ W @ h + b @ v + c @ h",
            ),
            Mistake(
                "no_biases",
                "The biases are missing: a unit with a large one likes to be on, whatever the others do.",
                "def energy(v, h, W, b, c):\n    return -(v @ W @ h)",
            ),
            Mistake(
                "one_sign",
                "Only the first of your three sums is subtracted.",
                "def energy(v, h, W, b, c):\n    return -(v @ W @ h) + b @ v + c @ h",
            ),
            Mistake(
                "all_weights",
                "You added up all weights. One counts only if both of its units are 1.",
                "def energy(v, h, W, b, c):\n    return -W.sum() - b @ v - c @ h",
            ),
            Mistake(
                "all_biases",
                "You added up all biases. One counts only if its unit is 1.",
                "def energy(v, h, W, b, c):\n    return -(v @ W @ h) - b.sum() - c.sum()",
            ),
        ),
        inputs=(
            (V[0], np.array([1.0, 0.0]), W, B, C),
            (V[1], np.array([1.0, 1.0]), W, B, C),
            (V[2], np.zeros(2), W, B, C),
        ),
    ),
    Exercise(
        title="How much likelier",
        task="The probability of a state is exp(-E) / Z, with the same Z for all states. One state has the energy 1, "
        "another one 3. How many times as likely is the first one as the second? Round to two places.",
        stub="times = ...",
        solution="times = 7.39",
        explanation="exp(-1) / exp(-3) = exp(2): Z falls out. That is the machine's great trick: Z, a sum over all "
        "states, cannot be computed for 784 pixels, but which of two images is likelier, can.",
        hints=(
            "Divide exp(-E) / Z of one state by that of the other. What becomes of Z?",
            "exp(-1) / exp(-3) = exp(3 - 1).",
        ),
        mistakes=(
            Mistake(
                "difference", "That is the difference of the energies. Probabilities take its exponential.", "times = 2"
            ),
            Mistake(
                "ratio", "You divided the energies. A probability falls exponentially with the energy.", "times = 3"
            ),
            Mistake(
                "reverse",
                "That is how likely the second state is, compared with the first. A low energy is likelier.",
                "times = 0.14",
            ),
            Mistake("one_only", "That is exp(1). Look at both energies.", "times = 2.72"),
            Mistake("other", "That is exp(3). Look at both energies.", "times = 20.09"),
        ),
        tolerance=6e-3,
    ),
    Exercise(
        title="The hidden units",
        task="Return the probabilities that the hidden units are 1, given the visible ones: the sigmoid of the "
        "weighted sum of the visible units and the bias. v holds several samples, one in each row.",
        stub='''\
def hidden_probabilities(v, W, c):
    """Returns P(h = 1 | v), (samples, hidden), of v (samples, visible), W (visible, hidden) and c (hidden,)."""
    ...
''',
        solution="""\
def hidden_probabilities(v, W, c):
    return 1 / (1 + np.exp(-(v @ W + c)))
""",
        explanation="It is a layer of a network with sigmoids: that is why a trained machine can become one. No two "
        "hidden units are joined, so given the visible ones each decides for itself.",
        hints=(
            "v @ W is the weighted sum of every sample for every hidden unit.",
            "The sigmoid of x is 1 / (1 + exp(-x)).",
            "Add c before you take the sigmoid.",
        ),
        mistakes=(
            Mistake(
                "no_sigmoid",
                "Those are the weighted sums. A probability lies between 0 and 1.",
                "def hidden_probabilities(v, W, c):\n    return v @ W + c",
            ),
            Mistake(
                "no_bias",
                "The bias of the hidden units is missing.",
                "def hidden_probabilities(v, W, c):\n    return 1 / (1 + np.exp(-(v @ W)))",
            ),
            Mistake(
                "off",
                "Those are the probabilities that they are 0.",
                "def hidden_probabilities(v, W, c):\n    return 1 / (1 + np.exp(v @ W + c))",
            ),
            Mistake(
                "softmax",
                "Your probabilities add up to 1 over the hidden units, as if just one of them could be on.",
                "def hidden_probabilities(v, W, c):\n"
                "    e = np.exp(v @ W + c)\n    return e / e.sum(axis=1, keepdims=True)",
            ),
            Mistake(
                "bias_outside",
                "You added the bias behind the sigmoid. It belongs to the sum in front of it.",
                "def hidden_probabilities(v, W, c):\n    return 1 / (1 + np.exp(-(v @ W))) + c",
            ),
        ),
        inputs=((V, W, C), (V_K, 0.5 * W, C - 1)),
    ),
    Exercise(
        title="Contrastive divergence",
        task="v are digits and h the probabilities of the hidden units for them; v_k and h_k are the same where a "
        "chain from the digits has come to. Return the change of the weights: the mean over all samples of the "
        "products v_i h_j, less the mean of the products v_k,i h_k,j.",
        stub='''\
def change(v, h, v_k, h_k):
    """Returns the change (visible, hidden) of the weights, of v, v_k (samples, visible), h, h_k (samples, hidden)."""
    ...
''',
        solution="""\
def change(v, h, v_k, h_k):
    return (v.T @ h - v_k.T @ h_k) / len(v)
""",
        explanation="The first half makes digits likelier, the second one makes unlikely where the machine wanders to "
        "by itself. Where both are the same, the machine generates digits, and nothing changes any more.",
        hints=(
            "v.T @ h adds the products of all samples up, for each pair of a visible and a hidden unit.",
            "Divide by the number of samples, len(v).",
            "Digits first, with a plus; the chain is subtracted.",
        ),
        mistakes=(
            Mistake(
                "sign",
                "Your signs are turned round: the machine would unlearn the digits.",
                "def change(v, h, v_k, h_k):\n    return (v_k.T @ h_k - v.T @ h) / len(v)",
            ),
            Mistake(
                "not_divided",
                "You added the samples up. A mean does not grow with the batch.",
                "def change(v, h, v_k, h_k):\n    return v.T @ h - v_k.T @ h_k",
            ),
            Mistake(
                "differences",
                "You multiplied the differences. It is the difference of two products.",
                "def change(v, h, v_k, h_k):\n    return (v - v_k).T @ (h - h_k) / len(v)",
            ),
            Mistake(
                "digits_alone",
                "The second half is missing: then all weights grow for ever.",
                "def change(v, h, v_k, h_k):\n    return v.T @ h / len(v)",
            ),
            Mistake(
                "old_hidden",
                "In your second half the visible units are the chain's, but the hidden ones still the digits'.",
                "def change(v, h, v_k, h_k):\n    return (v.T @ h - v_k.T @ h) / len(v)",
            ),
        ),
        inputs=((V, H, V_K, H_K), (V[:2], H[:2], V_K[:2], H_K[:2])),
    ),
    Exercise(
        title="What the gap says",
        task="The reconstruction error falls from epoch to epoch. The free energy of held-out images was as high as "
        'that of the training images at first; now it is higher, and the gap grows. What happens? `"a"`: the machine '
        'learns, all is well. `"b"`: it begins to memorise the training images. `"c"`: the learning rate is too large '
        'and it diverges. `"d"`: Z has changed, and the gap says nothing.',
        stub="happens = ...",
        solution='happens = "b"',
        explanation="A gap in free energy is a gap in the logarithm of the probability: Z is the same for both sets, "
        "whatever it is. The machine gives its own images more and more, and others less. Stop, or take more images.",
        hints=(
            "A higher free energy is a lower probability: of which images?",
            "Compare with a network whose training loss falls while the validation loss rises.",
        ),
        mistakes=(
            Mistake(
                "well",
                "The error of reconstructions falls for a machine that knows its images by heart as well. Look at the "
                "images that it was not trained on.",
                'happens = "a"',
            ),
            Mistake("diverges", "Then the reconstruction error would rise.", 'happens = "c"'),
            Mistake(
                "Z",
                "Z changes in every step, but it is the same for both sets of images: what does it do to a difference?",
                'happens = "d"',
            ),
        ),
    ),
    Exercise(
        title="A bias that is shrunk",
        task="A guest has rated a few restaurants: `differences` says by how much each rating lies above the mean of "
        "all ratings. Return the guest's bias: the sum of the differences, divided by how many there are plus "
        "`shrinkage`.",
        stub='''\
def bias(differences, shrinkage):
    """Returns the bias, a number, of the differences (ratings,)."""
    ...
''',
        solution="""\
def bias(differences, shrinkage):
    return differences.sum() / (len(differences) + shrinkage)
""",
        explanation="It is the mean, as if the guest had given so many more ratings that were all average. Of one "
        "rating little is believed, of fifty nearly everything. On small tables this is hard to beat.",
        hints=(
            "Without the shrinkage it is the mean of the differences.",
            "The shrinkage is added to the number of ratings, below the line.",
        ),
        mistakes=(
            Mistake(
                "mean",
                "That is the mean. Of a single rating you would believe everything.",
                "def bias(differences, shrinkage):\n    return differences.mean()",
            ),
            Mistake(
                "outside",
                "You added the shrinkage to the mean. It belongs to the number of ratings.",
                "def bias(differences, shrinkage):\n    return differences.mean() + shrinkage",
            ),
            Mistake(
                "divided_twice",
                "You divided the mean once more: even many ratings would count little.",
                "def bias(differences, shrinkage):\n    return differences.mean() / (1 + shrinkage)",
            ),
            Mistake(
                "above",
                "You added it above the line: it would make the bias larger.",
                "def bias(differences, shrinkage):\n"
                "    return (differences.sum() + shrinkage) / (len(differences) + shrinkage)",
            ),
        ),
        inputs=((np.array([0.5, 1.0, -0.25]), 2.0), (np.array([-1.0]), 5.0), (np.array([0.5, 0.75, 1.0, 1.5]), 0.0)),
    ),
)
