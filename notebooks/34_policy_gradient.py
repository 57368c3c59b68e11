# %% [markdown]
# # A pilot that learns from its own flights: policy gradients
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/34_policy_gradient.ipynb)
#
# A lander falls towards the moon. A network gives each of its four actions a probability, flies, and makes more
# probable what went better than expected. You build it up from one formula to a pilot that lands: REINFORCE, a
# baseline, a critic, and PPO. About 40 minutes, of which the computer flies one or two.

# %%
# Installs the package where it is missing. This computer's TensorFlow, Keras and NumPy stay as they are.
import subprocess
import sys
from importlib import metadata, util
from pathlib import Path

SOURCE = ".." if Path("../pyproject.toml").exists() else "git+https://github.com/OWNER/workshop"
if getattr(util.find_spec("workshop"), "origin", None) is None:  # missing, or a mere folder of that name
    kept = [f"{name}=={metadata.version(name)}" for name in ("tensorflow", "keras", "numpy") if util.find_spec(name)]
    install = [sys.executable, "-m", "pip", "install", "--quiet", SOURCE]
    if subprocess.run([*install, *kept]).returncode:  # one of them lies outside of the range that was tried
        subprocess.run([*install, "--no-deps"], check=True)

from workshop import notebook

notebook.start()

# %%
# Installs gymnasium, the interface of environments, and Box2D, the physics of the lander, where they are missing.
if not (util.find_spec("gymnasium") and util.find_spec("Box2D")):
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "gymnasium[box2d]"], check=True)

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np

from workshop.exercises import check, hint, solution
from workshop.kit.environments import lander

# %% tags=["parameters"] quick="A2C_UPDATES, PPO_UPDATES, TEST_FLIGHTS = 10, 3, 5"
A2C_UPDATES = 1000  # of 32 steps in 16 environments
PPO_UPDATES = 100  # of 128 steps in 16 environments
TEST_FLIGHTS = 100

# %% [markdown]
# ## The lander
#
# `LunarLander-v3` is gymnasium's own. `reset` begins a flight, `step` takes one of four actions, and a flight ends when
# the lander rests, crashes or leaves the screen. The sum of its rewards is its *return*: 200 counts as landed well.

# %%
flight = lander.make(render_mode="rgb_array")
observation, _ = flight.reset(seed=1)
for value, feature in zip(observation, lander.INPUTS, strict=True):
    print(f"{feature.name:25s} {value:+.3f}")
print("actions:", ", ".join(lander.ACTIONS))

# %%
for _ in range(70):
    flight.step(0)
plt.figure(figsize=(6, 4), layout="constrained")
plt.imshow(flight.render())
plt.title("After 70 steps without an engine")
plt.axis("off")
plt.show()

# %% [markdown]
# **A question before you go on.** A pilot who does not know yet what is good takes random actions. Which return do you
# expect of a flight?


# %%
def test_returns(act, flights):
    """Returns the returns (flights,) of flights that training never saw; `act` gives actions of observations."""
    environments = lander.make_many(flights)
    observations, _ = environments.reset(seed=1_000_000)
    returns, ended = np.zeros(flights), np.zeros(flights, bool)
    while not ended.all():
        observations, rewards, terminated, truncated, _ = environments.step(act(observations))
        returns += rewards * ~ended  # an environment begins its next flight by itself, which does not count
        ended |= terminated | truncated
    return returns


random = np.random.default_rng(1)
tests = {"random": test_returns(lambda observations: random.integers(0, 4, len(observations)), TEST_FLIGHTS)}
print(f"random: mean return {tests['random'].mean():.0f}, deviation {tests['random'].std():.0f}")

# %% [markdown]
# ## What an action is worth
#
# A crash is the merit of an action long before it. So each action is credited with its *return*: all rewards from its
# step on, later ones discounted.

# %% [markdown]
# ### Your turn 1: discounted returns, backwards
#
# The return of a step is its reward, plus discount times the return of the next step. Return the returns of all steps
# of an episode that ended with the last reward. One loop from the end to the beginning is enough.


# %%
def discounted_returns(rewards, discount):
    """Returns returns (steps,) of rewards (steps,)."""
    ...


# %%
check("policy_gradient.1", discounted_returns)

# %% [markdown]
# `hint("policy_gradient.1")` gives a hint, and `solution("policy_gradient.1")` the solution. Try yourself first.
#
# REINFORCE (Williams 1992) makes an action the more probable, the larger its return. If all returns are positive, that
# is true of every action. So:

# %% [markdown]
# ### Your turn 2: returns of mean 0 and deviation 1
#
# Bring returns to mean 0 and standard deviation 1. Where all are the same, return zeros.


# %%
def normalised(returns):
    """Returns numbers (steps,) of mean 0 and standard deviation 1, of returns (steps,)."""
    ...


# %%
check("policy_gradient.2", normalised)

# %% [markdown]
# ## The gradient
#
# Which way do the logits have to move, so that the sampled action gets more probable? For a softmax this can be done by
# hand.

# %% [markdown]
# ### Your turn 3: the policy gradient by hand
#
# A softmax makes probabilities of logits. An action was sampled and had an advantage. Return the gradient of
# advantage times the logarithm of the action's probability, by the logits: the direction in which to go **up**. By
# hand, it is the advantage times (1 - p) for the action that was taken, and times -p for each other one, with its own
# probability p.


# %%
def policy_gradient(logits, action, advantage):
    """Returns the gradient (actions,) of advantage * log p[action], by logits (actions,)."""
    ...


# %%
check("policy_gradient.3", policy_gradient)

# %% [markdown]
# **A question before you go on.** Where have you seen p - 1 for one class and p for the others?
#
# In the cross-entropy of a classifier. Its label is here the action that was taken, and its sample weight the
# advantage. So Keras trains a policy without anything new: `train_on_batch(states, actions, sample_weight=advantages)`.
#
# ### The smallest case
#
# One state, three actions, the returns 102, 110 and 91. The second is the best. Twenty policies learn from 400 sampled
# actions each, once with the returns as they are, and once with 101 subtracted from all of them.

# %%
VALUES = np.array([102.0, 110.0, 91.0])


def softmax(logits):
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def sample(p):
    """Returns an action for each row of probabilities: the piece of the line from 0 to 1 that a random number hits."""
    return (random.random((len(p), 1)) > p[:, :-1].cumsum(axis=1)).sum(axis=1)


def learn_bandit(baseline, policies=20, steps=400, rate=0.01):
    """Returns the probability of the best action, (steps, policies)."""
    logits, best = np.zeros((policies, 3)), []
    for _ in range(steps):
        p = softmax(logits)
        action = sample(p)
        logits += rate * (VALUES[action] - baseline)[:, None] * (np.eye(3)[action] - p)
        best.append(p[:, 1])
    return np.array(best)


# %%
figure, panels = plt.subplots(1, 2, figsize=(10, 3.8), sharey=True, layout="constrained")
for axes, baseline in zip(panels, (0, 101), strict=True):
    best = learn_bandit(baseline)
    print(f"baseline {baseline}: {(best[-1] > 0.5).sum()} of 20 policies prefer the best action at the end")
    axes.plot(best, alpha=0.6, linewidth=1)
    axes.set(title=f"baseline {baseline}", xlabel="samples", ylabel="probability of the best action")
plt.show()

# %% [markdown]
# Without a baseline whatever is sampled gets more probable, is sampled again, and so on: the policies jump, and some
# end at a worse action.
#
# **A question.** Subtracting a number changes every step. Does it change where the steps lead to on average?

# %% [markdown]
# ### Your turn 4: what a baseline changes
#
# An action is sampled from `probabilities`, its return is in `returns`, and a baseline is subtracted from it. The
# gradient of the first logit is then (return - baseline) * (1 - p) if the first action was sampled, and (return -
# baseline) * (-p) if another one was; p is the first probability. Return a list: the mean of this gradient over the
# sampled actions, each weighted with its probability, and its variance.


# %%
def mean_and_variance(probabilities, returns, baseline):
    """Returns [mean, variance] of the gradient, of probabilities and returns (actions,) and a number."""
    ...


# %%
check("policy_gradient.4", mean_and_variance)

# %%
P = np.array([0.5, 0.3, 0.2])
for baseline in (-100, 0, 101, 200):
    print(f"baseline {baseline:4d}: mean and variance", mean_and_variance(P, VALUES, baseline))

# %% [markdown]
# ### Your turn 5: choose a baseline
#
# Three actions have the probabilities 0.5, 0.3 and 0.2 and the returns 102, 110 and 91. Choose a baseline, a number,
# with which the variance of the sampled gradient of the first logit is at most a hundredth of that without a
# baseline. `mean_and_variance`, from the last exercise, tells you.

# %%
baseline = ...

# %%
check("policy_gradient.5", baseline)

# %% [markdown]
# ## An actor and a critic
#
# The best baseline is what is to be expected, and that differs from state to state. A second network, the *critic*,
# learns it: the value of a state. The policy is now called the *actor*. A course's networks: the actor 8-64-4, the
# critic 8-64-1.


# %%
def build(outputs, gain, activation=None):
    """Returns a network 8-64-outputs; a small gain of the last layer makes all actions equally probable at first."""
    orthogonal = keras.initializers.Orthogonal
    return keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(64, activation="relu", kernel_initializer=orthogonal(2**0.5)),
            keras.layers.Dense(outputs, activation=activation, kernel_initializer=orthogonal(gain)),
        ]
    )


build(4, 0.01, "softmax").summary()

# %% [markdown]
# A call of Keras takes about a millisecond, two layers in NumPy some microseconds. The pilot asks for each of half a
# million steps, so it asks NumPy. The observations are scaled first: near the ground, small numbers decide.

# %%
SCALE = np.array([5, 3, 5, 5, 5, 5, 1, 1], np.float32)


def forward(weights, states):
    """Returns the outputs of such a network before the last activation, of weights from `get_weights`."""
    W1, b1, W2, b2 = weights
    return np.maximum(states @ W1 + b1, 0) @ W2 + b2


# %% [markdown]
# ### The advantage
#
# How much better was an action than what the critic expected?

# %% [markdown]
# ### Your turn 6: the advantage of one step
#
# The critic predicts `value` for a state and `next_value` for the next one. Return the advantage of the action
# between them: what it brought, the reward plus the discounted value of the next state, minus what was expected.
# After a step that `terminated` nothing follows.


# %%
def advantage(reward, value, next_value, terminated, discount):
    """Returns a number, of numbers and terminated, True or False."""
    ...


# %%
check("policy_gradient.6", advantage)

# %% [markdown]
# One step trusts the critic, which knows nothing at first. The whole return trusts the dice. In between lie the
# generalised advantages (Schulman 2016):

# %% [markdown]
# ### Your turn 7: generalised advantages
#
# `rewards`, `values` and `ended` belong to steps in a row, `last_value` is the critic's value of the state after the
# last one. The error of a step is reward + discount x next value - value. Its advantage is this error, plus discount
# x decay times the advantage of the next step. Where a step has ended an episode, neither the next value nor the next
# advantage counts. Return the advantages.


# %%
def generalised_advantages(rewards, values, last_value, ended, discount, decay):
    """Returns advantages (steps,), of rewards, values and ended (steps,) and three numbers."""
    ...


# %%
check("policy_gradient.7", generalised_advantages)

# %% [markdown]
# ## Sixteen flights at once
#
# Sixteen landers fly side by side, so that the samples of one update come from different moments. `play` lets them make
# some steps. The rewards are made small for the critic, and each step costs 0.1, in training only: a pilot that hovers
# is not paid.


# %%
class Flights:
    """Sixteen landers, the states they are in, and the returns of the flights that have ended."""

    def __init__(self):
        self.environments = lander.make_many(16, 600)  # in training a flight is cut off after 600 steps
        observations, _ = self.environments.reset(seed=1)
        self.states, self.running, self.returns = observations * SCALE, np.zeros(16), []

    def play(self, actor_weights, steps):
        """Returns a list of arrays (steps, 16, ...): what the landers observed, did and got."""
        played = []
        for _ in range(steps):
            p = softmax(forward(actor_weights, self.states))
            actions = sample(p)
            following, rewards, terminated, truncated, info = self.environments.step(actions)
            ended = terminated | truncated
            self.running += rewards
            self.returns += list(self.running[ended])
            self.running[ended] = 0
            after = following.copy()
            for i in np.flatnonzero(ended):  # `following` has the first state of the next flight there
                after[i] = info["final_obs"][i]
            log_p = np.log(p[np.arange(16), actions])
            played.append((self.states, actions, log_p, 0.05 * (rewards - 0.1), after * SCALE, terminated, ended))
            self.states = following * SCALE
        return [np.array(part) for part in zip(*played, strict=True)]


# %%
def advantages_and_targets(critic_weights, states, rewards, after, terminated, ended, discount=0.995, decay=0.97):
    """Returns the generalised advantages (steps, 16), and what the critic is to predict."""
    values = forward(critic_weights, states)[..., 0]
    next_values = forward(critic_weights, after)[..., 0]
    errors = rewards + discount * next_values * ~terminated - values
    advantages, running = np.zeros_like(errors), 0
    for t in reversed(range(len(errors))):
        running = errors[t] + discount * decay * ~ended[t] * running
        advantages[t] = running
    return advantages, advantages + values


# %% [markdown]
# ## Advantage actor-critic
#
# After every 32 steps of each lander: one update of the actor, whose sample weights are the advantages, and three of
# the critic. The learning rates fall towards the end, and a gradient longer than 0.5 is shortened to that.


# %%
def compile_both(actor, critic, loss, rates, updates):
    """Gives both networks an optimizer whose rate falls to a twentieth."""
    models, losses = (actor, critic), (loss, "mean_squared_error")
    for model, loss, rate, count in zip(models, losses, rates, updates, strict=True):
        falling = keras.optimizers.schedules.PolynomialDecay(rate, count, rate / 20)
        model.compile(optimizer=keras.optimizers.Adam(falling, epsilon=1e-5, global_clipnorm=0.5), loss=loss)


def tell(update, updates, steps, returns):
    """Prints the progress, ten times in a training."""
    if (update + 1) % max(1, updates // 10) == 0 and returns:
        print(f"{steps:,} steps, {len(returns)} flights: mean return of the last 50 {np.mean(returns[-50:]):.0f}")


def advantage_actor_critic(updates, steps=32):
    """Trains by A2C; returns the actor and the returns of its flights."""
    keras.utils.set_random_seed(1)
    actor, critic, flights = build(4, 0.01, "softmax"), build(1, 1.0), Flights()
    compile_both(actor, critic, "sparse_categorical_crossentropy", (0.003, 0.006), (updates, 3 * updates))
    for update in range(updates):
        states, actions, _, *rest = flights.play(actor.get_weights(), steps)
        advantages, targets = advantages_and_targets(critic.get_weights(), states, *rest)
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        X = states.reshape(-1, 8)
        actor.train_on_batch(X, actions.ravel(), sample_weight=advantages.ravel())
        for _ in range(3):
            critic.train_on_batch(X, targets.reshape(-1, 1))
        tell(update, updates, 16 * steps * (update + 1), flights.returns)
    return actor, flights.returns


# %% [markdown]
# Half a minute to a minute on two CPU cores. Watch the mean return: first it learns not to turn over, then to hover,
# and only then to come down.

# %%
actor, a2c_returns = advantage_actor_critic(A2C_UPDATES)


# %% [markdown]
# Single flights jump. The curve is the mean of 50 flights in a row, the band the middle half of them.


# %%
def draw_returns(returns, name, steps):
    """Draws the smoothed returns of flights over the share of the training."""
    window = min(50, len(returns))
    windows = np.lib.stride_tricks.sliding_window_view(np.array(returns), window)
    x = np.linspace(0, steps, len(windows))
    plt.plot(x, windows.mean(axis=1), label=name)
    plt.fill_between(x, *np.percentile(windows, [25, 75], axis=1), alpha=0.2)
    plt.xlabel("steps of all environments (about)")
    plt.ylabel("return")
    plt.legend()


plt.figure(figsize=(9, 4.5), layout="constrained")
draw_returns(a2c_returns, "A2C", 512 * A2C_UPDATES)
plt.axhline(200, linestyle="--", color="gray")
plt.show()

# %% [markdown]
# ### The test
#
# New flights, and no dice: the most probable action is taken. Expect a mean return of 200 or more.


# %%
def greedy(actor):
    """Returns the function that takes the most probable action of each observation."""
    weights = actor.get_weights()
    return lambda observations: forward(weights, observations * SCALE).argmax(axis=1)


tests["A2C"] = test_returns(greedy(actor), TEST_FLIGHTS)
print(f"A2C: mean return {tests['A2C'].mean():.0f}, {np.mean(tests['A2C'] >= 200):.0%} of the flights at 200 or more")

# %% [markdown]
# ## PPO: the same samples more than once
#
# A2C uses its samples for one step and throws them away: after it the policy is another one. PPO (Schulman 2017) takes
# several steps with them, and stops each action from moving further than a fifth away from where it was.

# %% [markdown]
# ### Your turn 8: PPO's clipped objective
#
# The ratio of a step is the new probability of its action divided by the old one, from their logarithms. Clip it to
# between 1 - clip and 1 + clip. Multiply the ratio by the advantage, and the clipped ratio too; take the smaller of
# the two products for each step, and return the mean, which PPO makes large.


# %%
def clipped_objective(new_log_probabilities, old_log_probabilities, advantages, clip):
    """Returns a number, of three arrays (steps,) and the clip, such as 0.2."""
    ...


# %%
check("policy_gradient.8", clipped_objective)

# %% [markdown]
# In Keras this is a loss of one's own. It gets what `train_on_batch` is given as targets: here three columns, the
# action, its old log probability and its advantage. A little *entropy* is added, which rewards a policy that still
# tries things.


# %%
def ppo_loss(targets, p):
    """Returns the losses (samples,) of targets (samples, 3) and predicted probabilities (samples, 4)."""
    actions, old_log_p, advantages = keras.ops.cast(targets[:, 0], "int32"), targets[:, 1], targets[:, 2]
    log_p = keras.ops.log(p + 1e-8)
    ratio = keras.ops.exp(keras.ops.sum(keras.ops.one_hot(actions, 4) * log_p, axis=1) - old_log_p)
    clipped = keras.ops.clip(ratio, 0.8, 1.2)
    entropy = -keras.ops.sum(p * log_p, axis=1)
    return -keras.ops.minimum(ratio * advantages, clipped * advantages) - 0.005 * entropy


# %%
def ppo(updates, steps=128, epochs=6, batch_size=512):
    """Trains by PPO; returns the actor and the returns of its flights."""
    keras.utils.set_random_seed(1)
    actor, critic, flights = build(4, 0.01, "softmax"), build(1, 1.0), Flights()
    count = updates * epochs * 16 * steps // batch_size
    compile_both(actor, critic, ppo_loss, (0.002, 0.004), (count, count))
    for update in range(updates):
        states, actions, log_p, *rest = flights.play(actor.get_weights(), steps)
        advantages, targets = advantages_and_targets(critic.get_weights(), states, *rest)
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        X = states.reshape(-1, 8)
        y = np.stack([actions.ravel(), log_p.ravel(), advantages.ravel()], axis=1).astype(np.float32)
        for _ in range(epochs):
            for batch in random.permutation(len(X)).reshape(-1, batch_size):
                actor.train_on_batch(X[batch], y[batch])
                critic.train_on_batch(X[batch], targets.reshape(-1, 1)[batch])
        tell(update, updates, 16 * steps * (update + 1), flights.returns)
    return actor, flights.returns


ppo_actor, ppo_returns = ppo(PPO_UPDATES)

# %%
plt.figure(figsize=(9, 4.5), layout="constrained")
draw_returns(a2c_returns, "A2C", 512 * A2C_UPDATES)
draw_returns(ppo_returns, "PPO", 2048 * PPO_UPDATES)
plt.axhline(200, linestyle="--", color="gray")
plt.show()

# %%
tests["PPO"] = test_returns(greedy(ppo_actor), TEST_FLIGHTS)
for name, returns in tests.items():
    print(f"{name:7s} mean return {returns.mean():7.1f}, deviation {returns.std():5.1f}, lowest {returns.min():7.1f}")

# %% [markdown]
# **A question.** Which of the two needed fewer steps of the environment? When would that matter more than seconds?
#
# ## Keep the pilot
#
# The file should take the 8 numbers as they are. Scaling is a product, and so is the first layer: multiply its weights
# with the scale, and the scaling is inside of it.

# %%
pilot = build(4, 0.01, "softmax")
W1, b1, W2, b2 = actor.get_weights()
pilot.set_weights([W1 * SCALE[:, None], b1, W2, b2])
pilot.save("lander.h5")
notebook.download("lander.h5")

# %%
again = keras.models.load_model("lander.h5")
p = again.predict(observation[None], verbose=0)
trained = actor.predict(observation[None] * SCALE, verbose=0)
print("the same probabilities:", np.allclose(p, trained, atol=1e-5))
for name, value in zip(lander.ACTIONS, p[0], strict=True):
    print(f"{name:12s} {value:.1%}")

# %% [markdown]
# The program `apps.lander` flies it, without Keras:

# %%
command = [sys.executable, "-m", "apps.lander", "--model", "lander.h5", "--episodes", "3", "--gif", "flight.gif"]
print(subprocess.run(command, capture_output=True, text=True, check=False).stdout)

# %% [markdown]
# `flight.gif` shows the first of the flights with the probabilities of its actions. On your own computer, `--human`
# opens a window.
#
# ## What to try next
#
# - `decay=0` in `advantages_and_targets` trusts the critic alone, `decay=1` the sampled rewards. Which one learns, and
#   which one jumps?
# - Take the 0.1 away that each step costs, or the scale (`SCALE = np.ones(8)`): does it still come down?
# - REINFORCE on a car with range sensors, actor-critic on it, and the course's own recipe for the lander:
#   `python -m workshop.policy_gradient`.
