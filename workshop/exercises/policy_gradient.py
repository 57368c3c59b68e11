"""Exercises on the lesson `policy_gradient`: returns, the gradient of a policy, baselines, advantages, PPO."""

from __future__ import annotations

from typing import Any

import numpy as np

from workshop.exercises.kit.exercise import AnswerError, Exercise, Mistake

PROBABILITIES = np.array([0.5, 0.3, 0.2])
RETURNS = np.array([102.0, 110.0, 91.0])
LOG_OLD = np.log([0.5, 0.2, 0.4, 0.3])
LOG_NEW = np.log([0.75, 0.1, 0.42, 0.15])
ADVANTAGES = np.array([1.0, -2.0, 0.5, 3.0])
STEP_REWARDS = np.array([1.0, -0.5, 2.0, 0.3])
STEP_VALUES = np.array([4.0, 5.0, 3.0, 6.0])
ENDS = np.array([False, True, False, False])


def returns_code(loop: str) -> str:
    """Returns the code of an answer to the first exercise, from the body of its loop, which runs backwards."""
    return f"""\
def discounted_returns(rewards, discount):
    returns = np.zeros(len(rewards))
    following = 0
    for t in reversed(range(len(rewards))):
        {loop}
    return returns
"""


def normalise_code(value: str) -> str:
    """Returns the code of an answer to the second exercise, from what it returns."""
    return f"def normalised(returns):\n    centred = returns - np.mean(returns)\n    return {value}\n"


def gradient_code(value: str) -> str:
    """Returns the code of an answer to the third exercise, from what it returns."""
    return f"""\
def policy_gradient(logits, action, advantage):
    probabilities = np.exp(logits) / np.sum(np.exp(logits))
    taken = np.zeros(len(logits))
    taken[action] = 1
    return {value}
"""


def moments_code(
    gradients: str = "(returns - baseline) * (taken - probabilities[0])",
    mean: str = "np.sum(probabilities * gradients)",
    variance: str = "np.sum(probabilities * (gradients - mean) ** 2)",
) -> str:
    """Returns the code of an answer to the fourth exercise."""
    return f"""\
def mean_and_variance(probabilities, returns, baseline):
    taken = np.zeros(len(returns))
    taken[0] = 1
    gradients = {gradients}
    mean = {mean}
    return [mean, {variance}]
"""


def advantage_code(value: str) -> str:
    """Returns the code of an answer to the sixth exercise, from what it returns."""
    return f"def advantage(reward, value, next_value, terminated, discount):\n    return {value}\n"


def gae_code(
    delta: str = "rewards[t] + discount * next_value * (not ended[t]) - values[t]",
    running: str = "delta + discount * decay * (not ended[t]) * running",
    next_value: str = "values[t]",
) -> str:
    """Returns the code of an answer to the seventh exercise."""
    return f"""\
def generalised_advantages(rewards, values, last_value, ended, discount, decay):
    result = np.zeros(len(rewards))
    running, next_value = 0.0, last_value
    for t in reversed(range(len(rewards))):
        delta = {delta}
        running = {running}
        result[t] = running
        next_value = {next_value}
    return result
"""


def clipped_code(
    value: str = "np.mean(np.minimum(ratio * advantages, clipped * advantages))",
    ratio: str = "np.exp(new_log_probabilities - old_log_probabilities)",
) -> str:
    """Returns the code of an answer to the eighth exercise."""
    return f"""\
def clipped_objective(new_log_probabilities, old_log_probabilities, advantages, clip):
    ratio = {ratio}
    clipped = np.clip(ratio, 1 - clip, 1 + clip)
    return {value}
"""


def gradient_moments(baseline: float) -> tuple[float, float]:
    """Returns mean and variance of the sampled gradient of the first logit, of `PROBABILITIES` and `RETURNS`."""
    gradients = (RETURNS - baseline) * (np.array([1, 0, 0]) - PROBABILITIES[0])
    mean = float(PROBABILITIES @ gradients)
    return mean, float(PROBABILITIES @ (gradients - mean) ** 2)


def grade_baseline(baseline: Any) -> str:
    """Returns "" for a baseline with which the sampled gradient varies a hundredth of what it does without one."""
    try:
        number = float(baseline)
    except (TypeError, ValueError):
        raise AnswerError("Give a number: what is subtracted from all three returns.", "type") from None
    if not np.isfinite(number):
        raise AnswerError("A baseline is an ordinary number.", "nan")
    without, variance = gradient_moments(0)[1], gradient_moments(number)[1]
    if variance <= without / 100:
        return ""
    if number == 0:
        return "none"
    if np.isclose(number, RETURNS.sum()):
        return "sum"
    if number < 0:
        return "negative"
    raise AnswerError(
        f"With {number:g} the variance is {variance:.4g}, without a baseline {without:.4g}; the mean is "
        f"{gradient_moments(number)[0]:.4g} with both. Is your number near the returns?"
    )


EXERCISES = (
    Exercise(
        title="Discounted returns, backwards",
        task="The return of a step is its reward, plus discount times the return of the next step. Return the returns "
        "of all steps of an episode that ended with the last reward. One loop from the end to the beginning is "
        "enough.",
        stub='''\
def discounted_returns(rewards, discount):
    """Returns returns (steps,) of rewards (steps,)."""
    ...
''',
        solution=returns_code("following = rewards[t] + discount * following\n        returns[t] = following"),
        explanation="Backwards each return takes one multiplication and one sum. Forwards each would be a sum of its "
        "own over all steps that follow: 500,000 products for 1,000 steps.",
        hints=(
            "What is the return of the last step? And that of the one before?",
            "for t in reversed(range(len(rewards))): keep the return of the step that follows in a variable.",
            "following = rewards[t] + discount * following, and this is the return of step t.",
        ),
        mistakes=(
            Mistake(
                "forwards",
                "You add up the rewards before a step. What an action is worth shows in the rewards after it.",
                "def discounted_returns(rewards, discount):\n"
                "    returns, before = [], 0\n"
                "    for reward in rewards:\n"
                "        before = reward + discount * before\n"
                "        returns.append(before)\n"
                "    return np.array(returns)",
            ),
            Mistake(
                "no_discount",
                "All later rewards count in full: the discount is missing.",
                returns_code("following = rewards[t] + following\n        returns[t] = following"),
            ),
            Mistake(
                "own_reward_missing",
                "The reward of the step itself is missing: your returns begin one step too late.",
                returns_code(
                    "returns[t] = discount * following\n        following = rewards[t] + discount * following"
                ),
            ),
            Mistake(
                "same_for_all",
                "Every step got the return of the first one. What came before an action is no merit of it.",
                "def discounted_returns(rewards, discount):\n"
                "    first = np.sum(rewards * discount ** np.arange(len(rewards)))\n"
                "    return np.full(len(rewards), first)",
            ),
            Mistake(
                "own_discounted",
                "You discounted the reward of the step itself. It comes at once.",
                returns_code("following = discount * (rewards[t] + following)\n        returns[t] = following"),
            ),
            Mistake(
                "from_the_start",
                "Your later steps are discounted once more, by how late they are in the episode: then the network "
                "hardly learns from them.",
                returns_code(
                    "following = rewards[t] + discount * following\n        returns[t] = discount**t * following"
                ),
            ),
        ),
        inputs=(
            (np.array([1.0, 0.0, -2.0, 10.0]), 0.9),
            (np.array([0.0, 0.0, 1.0]), 0.5),
            (np.array([3.0, -1.0]), 0.99),
        ),
    ),
    Exercise(
        title="Returns of mean 0 and deviation 1",
        task="Bring returns to mean 0 and standard deviation 1. Where all are the same, return zeros.",
        stub='''\
def normalised(returns):
    """Returns numbers (steps,) of mean 0 and standard deviation 1, of returns (steps,)."""
    ...
''',
        solution=normalise_code("centred / (np.std(returns) or 1)"),
        explanation="About half of the actions are now made more probable and half less, however large the returns "
        "are. Without that, where all returns are positive, every action that was taken is made more "
        "probable, the bad ones too.",
        hints=(
            "Two steps: first subtract something, then divide by something.",
            "np.mean and np.std. What is the deviation of numbers that are all the same?",
            "(returns - np.mean(returns)) / np.std(returns), but by 1 where np.std gives 0.",
        ),
        mistakes=(
            Mistake(
                "mean_only",
                "The mean is 0, but the deviation is what it was: the steps are longer where rewards are larger.",
                normalise_code("centred"),
            ),
            Mistake(
                "variance",
                "You divided by the variance, the square of the standard deviation.",
                normalise_code("centred / (np.var(returns) or 1)"),
            ),
            Mistake(
                "not_centred",
                "The mean is not 0: it was not subtracted.",
                normalise_code("returns / (np.std(returns) or 1) if np.std(returns) else np.zeros(len(returns))"),
            ),
            Mistake(
                "zero_to_one",
                "Yours lie between 0 and 1: still no action is made less probable.",
                normalise_code("(returns - returns.min()) / (np.ptp(returns) or 1)"),
            ),
            Mistake(
                "sample_deviation",
                "Your deviation divides by n - 1, as torch.std does unless told otherwise; np.std divides by n.",
                normalise_code("centred / (np.std(returns, ddof=1) or 1)"),
            ),
        ),
        inputs=(
            (np.array([10.0, 20.0, 60.0, 30.0]),),
            (np.array([-1.0, -3.0]),),
            (np.array([5.0, 5.0, 5.0]),),
        ),
    ),
    Exercise(
        title="The policy gradient by hand",
        task="A softmax makes probabilities of logits. An action was sampled and had an advantage. Return the gradient "
        "of advantage times the logarithm of the action's probability, by the logits: the direction in which to "
        "go **up**. By hand, it is the advantage times (1 - p) for the action that was taken, and times -p for "
        "each other one, with its own probability p.",
        stub='''\
def policy_gradient(logits, action, advantage):
    """Returns the gradient (actions,) of advantage * log p[action], by logits (actions,)."""
    ...
''',
        solution=gradient_code("advantage * (taken - probabilities)"),
        explanation="It is the gradient of the cross-entropy with the sign turned round and the advantage before it: "
        "the policy is trained like a classifier whose label is the action that was taken, and whose sample weight "
        "is the advantage. The numbers add up to 0: what one action gains, the others lose.",
        hints=(
            "First the softmax: np.exp(logits), divided by its sum.",
            "A row of zeros with a 1 at the action: subtract the probabilities from it.",
            "advantage * (that row - probabilities).",
        ),
        mistakes=(
            Mistake(
                "downhill",
                "That is the gradient of the loss, which goes down. Along yours a good action gets less probable.",
                gradient_code("advantage * (probabilities - taken)"),
            ),
            Mistake(
                "others_left",
                "Only the logit of the action that was taken has a gradient in yours. A softmax ties them together: "
                "where one probability rises, the others fall.",
                gradient_code("advantage * taken * (1 - probabilities)"),
            ),
            Mistake(
                "no_advantage",
                "The advantage is missing: bad actions are made as probable as good ones.",
                gradient_code("taken - probabilities"),
            ),
            Mistake(
                "of_the_probability",
                "That is the gradient of the probability, not of its logarithm.",
                gradient_code("advantage * probabilities[action] * (taken - probabilities)"),
            ),
            Mistake(
                "logits_as_probabilities",
                "You subtracted the logits themselves. First make probabilities of them.",
                gradient_code("advantage * (taken - logits)"),
            ),
        ),
        inputs=(
            (np.array([0.5, -1.0, 2.0]), 0, 2.0),
            (np.array([0.0, 0.0, 0.0]), 2, -1.0),
            (np.array([1.0, 3.0, 0.2, -0.5]), 1, 0.5),
        ),
    ),
    Exercise(
        title="What a baseline changes",
        task="An action is sampled from `probabilities`, its return is in `returns`, and a baseline is subtracted from "
        "it. The gradient of the first logit is then (return - baseline) * (1 - p) if the first action was "
        "sampled, and (return - baseline) * (-p) if another one was; p is the first probability. Return a list: "
        "the mean of this gradient over the sampled actions, each weighted with its probability, and its variance.",
        stub='''\
def mean_and_variance(probabilities, returns, baseline):
    """Returns [mean, variance] of the gradient, of probabilities and returns (actions,) and a number."""
    ...
''',
        solution=moments_code(),
        explanation="The mean is the same for every baseline: weighted with the probabilities, (1 - p) and (-p) add up "
        "to 0, and so does a baseline times them. The variance is not: with a good baseline far fewer samples "
        "give the same exactness.",
        hints=(
            "First an array with the gradient for each of the actions, as if that one had been sampled.",
            "The mean is np.sum(probabilities * gradients): the likely ones count more.",
            "The variance is the mean of (gradients - mean) ** 2, weighted in the same way.",
        ),
        mistakes=(
            Mistake(
                "all_alike",
                "You took the plain mean over the actions. Likely actions are sampled more often.",
                moments_code(mean="np.mean(gradients)", variance="np.var(gradients)"),
            ),
            Mistake(
                "baseline_forgotten",
                "Your numbers do not depend on the baseline at all. One of the two should.",
                moments_code("returns * (taken - probabilities[0])"),
            ),
            Mistake(
                "square_alone",
                "That is the mean of the squares. The variance is about the mean: subtract it first.",
                moments_code(variance="np.sum(probabilities * gradients**2)"),
            ),
            Mistake(
                "own_probability",
                "For the other actions you took their own probability. The gradient of the first logit has -p with the "
                "first one's.",
                moments_code("(returns - baseline) * (taken - probabilities)"),
            ),
            Mistake(
                "deviation",
                "That is the standard deviation; return its square.",
                moments_code(variance="np.sqrt(np.sum(probabilities * (gradients - mean) ** 2))"),
            ),
        ),
        inputs=(
            (PROBABILITIES, RETURNS, 0.0),
            (PROBABILITIES, RETURNS, 100.0),
            (np.array([0.1, 0.6, 0.2, 0.1]), np.array([1.0, -2.0, 0.5, 3.0]), 0.5),
        ),
    ),
    Exercise(
        title="Choose a baseline",
        task="Three actions have the probabilities 0.5, 0.3 and 0.2 and the returns 102, 110 and 91. Choose a "
        "baseline, a number, with which the variance of the sampled gradient of the first logit is at most a hundredth "
        "of that without a baseline. `mean_and_variance`, from the last exercise, tells you.",
        stub="baseline = ...",
        solution="baseline = 0.5 * 102 + 0.3 * 110 + 0.2 * 91",
        explanation="The mean return is 102.2, and what is left of each return is how much better than usual its "
        "action was: the advantage. No baseline that is the same for all actions bends the mean gradient, so any "
        "number is allowed; one near the returns makes the noise small. A critic learns one for each state.",
        hints=(
            "Without a baseline all three returns are large, so that noise is large. What do they have in common?",
            "Subtract what is usual: then what is left is small.",
            "The mean of the returns, or a number near it.",
        ),
        mistakes=(
            Mistake("none", "0 is no baseline: nothing is subtracted.", "baseline = 0"),
            Mistake(
                "sum",
                "That is the sum of the returns: subtracting it makes large numbers of the other sign.",
                "baseline = 102 + 110 + 91",
            ),
            Mistake(
                "negative",
                "A negative baseline is added to the returns, which makes them larger.",
                "baseline = -102",
            ),
        ),
        grade=grade_baseline,
    ),
    Exercise(
        title="The advantage of one step",
        task="The critic predicts `value` for a state and `next_value` for the next one. Return the advantage of the "
        "action between them: what it brought, the reward plus the discounted value of the next state, minus what "
        "was expected. After a step that `terminated` nothing follows.",
        stub='''\
def advantage(reward, value, next_value, terminated, discount):
    """Returns a number, of numbers and terminated, True or False."""
    ...
''',
        solution=advantage_code("reward + discount * next_value * (not terminated) - value"),
        explanation="Above 0 the action was better than the critic expected, and gets more probable; below 0 less. The "
        "critic itself is trained towards reward + discount x next value, so that its own error is this advantage.",
        hints=(
            "What did the critic expect before the step? What is known after it?",
            "reward + discount * next_value is known after it; without the second part where nothing follows.",
            "not terminated is 0 or 1 in a product: multiply the value of the next state with it.",
        ),
        mistakes=(
            Mistake(
                "no_end",
                "Nothing follows a step that terminated, but yours counts on the next state.",
                advantage_code("reward + discount * next_value - value"),
            ),
            Mistake(
                "target",
                "That is what the critic is trained towards. Subtract what it expected.",
                advantage_code("reward + discount * next_value * (not terminated)"),
            ),
            Mistake(
                "turned",
                "Yours is above 0 where it went worse than expected.",
                advantage_code("value - reward - discount * next_value * (not terminated)"),
            ),
            Mistake(
                "no_discount",
                "The next state is one step ahead: its value is discounted.",
                advantage_code("reward + next_value * (not terminated) - value"),
            ),
            Mistake(
                "reward_cut",
                "At the end the reward still counts; only the next state does not.",
                advantage_code("(reward + discount * next_value) * (not terminated) - value"),
            ),
        ),
        inputs=((-0.3, 12.0, 13.0, False, 0.99), (100.0, 60.0, 5.0, True, 0.99), (1.0, 2.0, -4.0, False, 0.5)),
    ),
    Exercise(
        title="Generalised advantages",
        task="`rewards`, `values` and `ended` belong to steps in a row, `last_value` is the critic's value of the "
        "state after the last one. The error of a step is reward + discount x next value - value. Its advantage is "
        "this error, plus discount x decay times the advantage of the next step. Where a step has ended an episode, "
        "neither the next value nor the next advantage counts. Return the advantages.",
        stub='''\
def generalised_advantages(rewards, values, last_value, ended, discount, decay):
    """Returns advantages (steps,), of rewards, values and ended (steps,) and three numbers."""
    ...
''',
        solution=gae_code(),
        explanation="Decay 0 is the advantage of one step, which trusts the critic; decay 1 is the return minus the "
        "value, which trusts the sampled rewards. In between, the noise of the returns and the error of the "
        "critic are balanced.",
        hints=(
            "As with the returns: one loop backwards, with the advantage of the step that follows in a variable.",
            "The next value is last_value at first, and values[t] of this step for the one before it.",
            "(not ended[t]) is 0 or 1: multiply the next value with it, and the next advantage too.",
        ),
        mistakes=(
            Mistake(
                "one_step",
                "Your advantages look one step ahead: those of the next steps are missing.",
                gae_code(running="delta"),
            ),
            Mistake(
                "runs_through",
                "The advantage of another episode runs over the end into this one.",
                gae_code(running="delta + discount * decay * running"),
            ),
            Mistake(
                "value_after_the_end",
                "After an end there is no next value: the state that follows belongs to a new episode.",
                gae_code(delta="rewards[t] + discount * next_value - values[t]"),
            ),
            Mistake(
                "ends_forgotten",
                "Your advantages do not see where an episode has ended.",
                gae_code(
                    "rewards[t] + discount * next_value - values[t]",
                    "delta + discount * decay * running",
                ),
            ),
            Mistake(
                "no_discount",
                "The advantage of the next step is multiplied by decay alone; the discount is missing there.",
                gae_code(running="delta + decay * (not ended[t]) * running"),
            ),
            Mistake(
                "last_value_for_all",
                "You took the last value as the next value of every step.",
                gae_code(next_value="last_value"),
            ),
            Mistake(
                "no_last_value",
                "The last step has not ended its episode: the value of the state after it counts.",
                gae_code().replace("0.0, last_value", "0.0, 0.0"),
            ),
        ),
        inputs=(
            (STEP_REWARDS, STEP_VALUES, 2.0, ENDS, 0.9, 0.8),
            (STEP_REWARDS, STEP_VALUES, -1.0, np.zeros(4, bool), 0.99, 0.5),
            (STEP_REWARDS[:2], STEP_VALUES[:2], 7.0, ENDS[:2], 0.9, 0.95),
        ),
    ),
    Exercise(
        title="PPO's clipped objective",
        task="The ratio of a step is the new probability of its action divided by the old one, from their logarithms. "
        "Clip it to between 1 - clip and 1 + clip. Multiply the ratio by the advantage, and the clipped ratio too; "
        "take the smaller of the two products for each step, and return the mean, which PPO makes large.",
        stub='''\
def clipped_objective(new_log_probabilities, old_log_probabilities, advantages, clip):
    """Returns a number, of three arrays (steps,) and the clip, such as 0.2."""
    ...
''',
        solution=clipped_code(),
        explanation="A good action gains nothing by a ratio above 1 + clip, a bad one nothing by one below 1 - clip: "
        "the gradient there is 0, and the new policy stays near the one that made the samples. So the same samples "
        "serve several steps. What has gone the wrong way is not clipped: it can be put right.",
        hints=(
            "A difference of logarithms is the logarithm of a quotient: np.exp gives the ratio.",
            "np.clip(ratio, low, high), and np.minimum of two arrays, number by number.",
            "np.mean(np.minimum(ratio * advantages, clipped ratio * advantages)).",
        ),
        mistakes=(
            Mistake(
                "clipped_alone",
                "You used the clipped ratio alone: a bad action whose probability has risen would get no gradient to "
                "bring it down again.",
                clipped_code("np.mean(clipped * advantages)"),
            ),
            Mistake(
                "larger",
                "You took the larger product: then the far ratios win, against which the clip was made.",
                clipped_code("np.mean(np.maximum(ratio * advantages, clipped * advantages))"),
            ),
            Mistake(
                "not_clipped",
                "Nothing is clipped: the first samples would pull the policy as far as they can.",
                clipped_code("np.mean(ratio * advantages)"),
            ),
            Mistake(
                "old_by_new",
                "Your ratio is the old probability divided by the new one.",
                clipped_code(ratio="np.exp(old_log_probabilities - new_log_probabilities)"),
            ),
            Mistake(
                "of_logarithms",
                "The difference of the logarithms is the logarithm of the ratio, not the ratio.",
                clipped_code(ratio="new_log_probabilities - old_log_probabilities"),
            ),
            Mistake(
                "summed",
                "You return the sum; return the mean.",
                clipped_code("np.sum(np.minimum(ratio * advantages, clipped * advantages))"),
            ),
        ),
        inputs=(
            (LOG_NEW, LOG_OLD, ADVANTAGES, 0.2),
            (LOG_NEW, LOG_OLD, -ADVANTAGES, 0.1),
            (LOG_NEW[:2], LOG_OLD[:2], np.array([-1.0, 1.0]), 0.2),
        ),
    ),
)
