# %% [markdown]
# # A car that learns to drive: a deep Q-network
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/33_deep_q_network.ipynb)
#
# A car among obstacles looks for a gas station. Nobody tells it how to drive; it gets rewards, and learns from the
# steps that it makes itself. You build its network, the memory that it learns from, and the training loop, and test it
# on 100 maps that it has never seen. About 30 minutes.

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
# Installs gymnasium, the interface of environments, where it is missing.
if util.find_spec("gymnasium") is None:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "gymnasium"], check=True)

# %%
import time

import keras
import matplotlib.pyplot as plt
import numpy as np
from threadpoolctl import threadpool_limits

from workshop.exercises import check, hint, solution
from workshop.kit.environments.car import SIZE, Car, Cars

# %% [markdown]
# ## The car
#
# There is no data: an *environment* takes an action and returns what is observed next, and a reward. Ours has the
# interface of gymnasium, as thousands of others: `reset` begins an episode, `step` makes one step.

# %% tags=["parameters"] quick="STEPS, TEST_MAPS = 150, 10"
STEPS = 5000  # of training; in each of them 16 cars make a step
TEST_MAPS = 100

# %%
car = Car("headlights", render_mode="rgb_array")
view, info = car.reset(seed=6)
plt.figure(figsize=(5, 5), layout="constrained")
plt.imshow(car.render(), extent=(0, SIZE, 0, SIZE))
plt.title("Car blue, headlights yellow, obstacles grey, station green")
plt.xlabel("x")
plt.ylabel("y")
plt.show()

# %% [markdown]
# That is the map from above, which the car does not see. It observes what its headlights show: 20 cells from left to
# right and 10 ahead, each -1 (an obstacle or the wall), 0 (nothing) or 1 (the station). The lowest row is the nearest.

# %%
print("shape", view.shape)
for row in view:
    print(" ".join({-1: "#", 0: ".", 1: "S"}[int(cell)] for cell in row))

# %% [markdown]
# Three actions: 0 is left, 1 is right, 2 is straight. Each step drives on by 2. The station gives the reward 1, an
# obstacle or the wall -1, and both end the episode. Each step gives 0.02 for each unit that the car came nearer, and
# takes as much where it went away. After 150 steps the time is up.

# %%
for action in (2, 2, 0, 1):
    view, reward, terminated, truncated, info = car.step(action)
    print(f"action {action}: reward {reward:+.3f}, terminated {terminated}, truncated {truncated}")

# %% [markdown]
# **A question before you go on.** A reward says how good a step was. An action may be good for what comes 30 steps
# later. How could the car know?

# %% [markdown]
# ## Q values
#
# The *Q value* of an action in a state is the sum of all rewards that follow, each step later counting a little less
# (times the *discount*). Who knows it just takes the action with the largest one. A network predicts it, and its target
# is made of the next prediction: Q of this step should be reward + discount x the largest Q of the next state.

# %% [markdown]
# ### Your turn 1: the target of one step
#
# The network predicts the Q values 330, 40 and -430 for left, right and straight. The car turns left, gets the reward
# -8, and in the new state the largest of the three Q values is 350. The discount is 0.9. Which three numbers is the
# network trained towards for the old state? Give a list.

# %%
three = ...

# %%
check("deep_q_network.1", three)

# %% [markdown]
# `hint("deep_q_network.1")` gives a hint, and `solution("deep_q_network.1")` the solution. Try yourself first.

# %% [markdown]
# ### Your turn 2: a network of Q values
#
# Build the course's network: the 20 numbers of the headlights go in, two hidden layers of 20 and of 150 units follow,
# both with relu, and a Q value for each of the three actions comes out. Rewards of its car are positive or negative.

# %%
q_network = ...

# %%
check("deep_q_network.2", q_network)

# %% [markdown]
# The course's 20 numbers are the headlights' view, summed by columns (and here divided by 10: networks learn best from
# small numbers). They reach 10 units far, and the station may be 100 away. So `"bearing"` has three more: cosine and
# sine of the angle to the station, and the distance to it / 50. You will train with 20 and with 23 numbers, and see
# what the three are worth.

# %%
observation, _ = Car("bearing").reset(seed=6)
print("columns", observation[:20].round(2))
print("bearing", observation[20:].round(2))


# %%
def build(inputs):
    return keras.Sequential(
        [
            keras.Input((inputs,)),
            keras.layers.Dense(150, activation="relu"),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(3),
        ]
    )


model = build(23)
model.summary()

# %% [markdown]
# ## Quick predictions
#
# `predict` is made for many samples. A car that drives asks for one state, thousands of times, and each call costs much
# more than the multiplication in it. Three layers are three lines of NumPy, on one core: products as small as these are
# over before a second one has begun, and where another program takes it, the two wait for each other.

# %%
threadpool_limits(1, user_api="blas")


def q_values(weights, states):
    """Returns Q values (states, 3), of the weights from `get_weights` and states (states, inputs)."""
    W1, b1, W2, b2, W3, b3 = weights
    hidden = np.maximum(states @ W1 + b1, 0)
    hidden = np.maximum(hidden @ W2 + b2, 0)
    return hidden @ W3 + b3


states = np.tile(observation, (16, 1))
weights = model.get_weights()
by_keras = model.predict(states, verbose=0)
print("largest difference:", np.abs(by_keras - q_values(weights, states)).max())

# %%
start = time.perf_counter()
for _ in range(10):
    model.predict(states, verbose=0)
middle = time.perf_counter()
for _ in range(10):
    q_values(weights, states)
end = time.perf_counter()
print(f"Keras {(middle - start) * 1e5:,.0f} microseconds a call, NumPy {(end - middle) * 1e5:,.0f}")

# %% [markdown]
# ## Where it starts: random and straight
#
# Before any training: how often is the station reached on 100 maps by chance, and by driving straight on? `Cars` is
# many cars side by side, each on its own map.


# %%
def reached_share(act, seed=1_000_000):
    """Returns the share of new maps on which cars reach the station; `act` gives actions of states (cars, 23)."""
    cars = Cars(TEST_MAPS, "bearing")
    states, _ = cars.reset(seed=seed)
    reached, ended = np.zeros(TEST_MAPS, bool), np.zeros(TEST_MAPS, bool)
    while not ended.all():
        states, _, terminated, truncated, info = cars.step(act(states))
        reached |= info["reached"] & ~ended  # only the first episode of each car counts
        ended |= terminated | truncated
    return reached.mean()


random = np.random.default_rng(1)
shares = {
    "random": reached_share(lambda states: random.integers(0, 3, len(states))),
    "straight": reached_share(lambda states: np.full(len(states), 2)),
}
for name, share in shares.items():
    print(f"{name}: {share:.0%} of {TEST_MAPS} maps")

# %% [markdown]
# ## Exploring
#
# A car that always takes the best action it knows never finds a better one. So it takes a random one with probability
# *epsilon*, which falls while it learns.

# %% [markdown]
# ### Your turn 3: epsilon falls
#
# At first the car knows nothing and should try everything, later it should use what it has learned. Return epsilon,
# the probability of a random action, at a step: it falls along a straight line from `start` at step 0 to `end` at
# step `steps`, and then stays there.


# %%
def epsilon_at(step, start, end, steps):
    """Returns epsilon at a step; all are numbers."""
    ...


# %%
check("deep_q_network.3", epsilon_at)

# %% [markdown]
# ### Your turn 4: epsilon-greedy actions of many cars
#
# `q` has a row for each car and a column for each action. `r` has a random number for each car, at least 0 and below
# 1, and `random_actions` a random action. Return an action for each car: where r is below epsilon the random one,
# else the one with the largest Q value.


# %%
def epsilon_greedy(q, epsilon, r, random_actions):
    """Returns actions (cars,), of q (cars, actions), a number, r (cars,) and random_actions (cars,)."""
    ...


# %%
check("deep_q_network.4", epsilon_greedy)

# %% [markdown]
# ## A memory
#
# Each step gives one sample: state, action, reward, next state, and whether it ended. They are kept in arrays, the
# *replay memory*; when it is full, the oldest is overwritten. Here 16 cars fill it with random steps.


# %%
def new_memory(size, inputs):
    return {
        "state": np.zeros((size, inputs), np.float32),
        "action": np.zeros(size, int),
        "reward": np.zeros(size, np.float32),
        "next": np.zeros((size, inputs), np.float32),
        "terminated": np.zeros(size, bool),
    }


def remember(memory, count, **samples):
    """Writes 16 samples after the `count` that were written before."""
    for name, values in samples.items():
        places = np.arange(count, count + len(values)) % len(memory[name])
        memory[name][places] = values


# %% [markdown]
# Gymnasium starts the next episode by itself: where one has ended, `step` returns the first observation of the new map,
# and the last one of the old map is in `info["final_obs"]`. A slip that is hard to find is to remember the first one.


# %%
def drive_on(cars, actions, states, memory, count):
    """Makes a step of all cars and remembers it; returns the next states, and who reached or ended."""
    following, rewards, terminated, truncated, info = cars.step(actions)
    ended, inputs = terminated | truncated, memory["state"].shape[1]
    last = info["final_obs"] if ended.any() else following  # where an episode has ended: the end of the old map
    samples = {"state": states[:, :inputs], "next": last[:, :inputs], "action": actions, "reward": rewards}
    remember(memory, count, **samples, terminated=terminated)
    return following, rewards, info["reached"], ended


cars = Cars(16, "bearing")
states, _ = cars.reset(seed=1)
memory = new_memory(3200, 23)
for step in range(200):
    states, *_ = drive_on(cars, random.integers(0, 3, 16), states, memory, 16 * step)
print("samples:", len(memory["reward"]), "of them with a crash or a station:", memory["terminated"].sum())

# %% [markdown]
# **A question before you go on.** Why a memory, and not the newest steps? Look at the distance to the station (the last
# number of the state) of one car's steps in a row, and of a batch that is sampled from the memory.

# %%
in_a_row = memory["state"][::16, -1][:60] * 50
sampled = memory["state"][random.integers(0, 3200, 60), -1] * 50
figure, axes = plt.subplots(figsize=(8, 3.5), layout="constrained")
axes.plot(in_a_row, "o-", label="one car's steps in a row")
axes.plot(sampled, "x", label="sampled from the memory")
axes.set(xlabel="sample of the batch", ylabel="distance to the station")
axes.legend()
plt.show()

# %% [markdown]
# ### Your turn 5: how alike are neighbours in a batch
#
# `values` has a number of each sample of a batch, such as the car's distance to the station, in the order in which
# the samples were taken. Return the correlation of each sample with the next one: 1 where neighbours go up and down
# together, about 0 where one says nothing about the next.


# %%
def neighbour_correlation(values):
    """Returns the correlation, -1 to 1, of values (samples,) with those one place later."""
    ...


# %%
check("deep_q_network.5", neighbour_correlation)

# %%
print("in a row:", neighbour_correlation(in_a_row))
print("sampled: ", neighbour_correlation(sampled))

# %% [markdown]
# ## Targets of a batch

# %% [markdown]
# ### Your turn 6: targets of a batch, ends among them
#
# Return the target of each step: the reward, plus discount times the largest Q value of the next state. A step that
# `terminated` at an obstacle, a wall or the station has no next state: its target is the reward alone. A step that
# was `truncated` because the time was up has one: the car could have driven on.


# %%
def targets(rewards, best_next, terminated, truncated, discount):
    """Returns targets (steps,); terminated and truncated (steps,) are True or False."""
    ...


# %%
check("deep_q_network.6", targets)

# %% [markdown]
# The target is made by the network that is being trained: each update moves what it aims at. A *target network*, a copy
# of the weights that is renewed now and then, holds still in between. With a copy at hand, one more flaw can be helped:

# %% [markdown]
# ### Your turn 7: the target of Double DQN
#
# The largest of several inexact values is mostly one that is too large. Double DQN lets one network choose and the
# other evaluate: the action with the largest value in `q_next`, of the network that learns, and for this action the
# value in `q_next_copy`, of the target network. Return the targets; a terminated step has none of a next state.


# %%
def double_targets(rewards, q_next, q_next_copy, terminated, discount):
    """Returns targets (steps,), of q_next and q_next_copy (steps, actions), terminated (steps,)."""
    ...


# %%
check("deep_q_network.7", double_targets)

# %% [markdown]
# ## Training
#
# `fit` does not fit here: the samples come while it trains. Keras has `train_on_batch` for that: one step of the
# optimizer on one batch. The target of the actions that were not taken is the prediction itself.


# %%
def train_step(model, weights, copy, memory, size, batch_size=100, discount=0.98):
    """Makes one update with Double DQN's targets on a batch sampled from the memory; returns the new weights."""
    batch = random.integers(0, size, batch_size)
    rows = np.arange(batch_size)
    best = q_values(weights, memory["next"][batch]).argmax(axis=1)
    value = q_values(copy, memory["next"][batch])[rows, best] * ~memory["terminated"][batch]
    targets = q_values(weights, memory["state"][batch])
    targets[rows, memory["action"][batch]] = memory["reward"][batch] + discount * value
    model.train_on_batch(memory["state"][batch], targets)
    return model.get_weights()


# %% [markdown]
# The whole loop: act, remember, learn. Epsilon falls from 1 to 0.05 in the first half; the copy is renewed every 250
# updates. The Huber loss is the squared error for small errors and the absolute one for large ones, so that a few
# crashes do not drown the rest.


# %%
def train(inputs, steps, memory_size=50_000, copy_every=250, end_epsilon=0.05):
    """Trains with the first 20 or all 23 inputs; returns the model, and return and success of each episode."""
    keras.utils.set_random_seed(1)
    cars = Cars(16, "bearing")
    states, _ = cars.reset(seed=1)
    model = build(inputs)
    rate = keras.optimizers.schedules.PolynomialDecay(0.001, steps, 0.00005)
    model.compile(optimizer=keras.optimizers.Adam(rate), loss=keras.losses.Huber())
    weights = copy = model.get_weights()
    memory = new_memory(memory_size, inputs)
    returns, history = np.zeros(16), []
    for step in range(steps):
        epsilon = max(end_epsilon, 1 - 2 * step / steps * (1 - end_epsilon))
        greedy = q_values(weights, states[:, :inputs]).argmax(axis=1)
        actions = np.where(random.random(16) < epsilon, random.integers(0, 3, 16), greedy)
        states, rewards, reached, ended = drive_on(cars, actions, states, memory, 16 * step)
        returns += rewards
        history += list(zip(returns[ended], reached[ended], strict=True))
        returns[ended] = 0
        if step >= 60:  # about a thousand samples
            weights = train_step(model, weights, copy, memory, min(16 * (step + 1), memory_size))
        if step % copy_every == 0:
            copy = weights
        if (step + 1) % (steps // 8) == 0:
            share = np.mean([success for _, success in history[-100:]])
            print(f"step {step + 1:,}: epsilon {epsilon:.2f}, {share:.0%} of the last 100 episodes reached the station")
    return model, np.array(history, float)


# %% [markdown]
# About 20 seconds on two CPU cores. Nothing happens for a while: as long as epsilon is large, the car hits something
# sooner or later whatever it has learned.

# %%
model, history = train(23, STEPS)

# %%
columns_model, columns_history = train(20, STEPS)


# %% [markdown]
# Single episodes jump. The curve is the mean of 100 episodes in a row, the band the middle half of them.


# %%
def smoothed(values, window=100):
    """Returns windows (values, window) of the values before each one."""
    window = min(window, len(values))
    return np.lib.stride_tricks.sliding_window_view(values, window)


figure, axes = plt.subplots(figsize=(9, 4.5), layout="constrained")
for name, values in (("columns and bearing", history), ("columns alone", columns_history)):
    windows = smoothed(values[:, 0])
    episodes = np.arange(len(windows)) + windows.shape[1]
    axes.plot(episodes, windows.mean(axis=1), label=name)
    axes.fill_between(episodes, *np.percentile(windows, [25, 75], axis=1), alpha=0.2)
axes.set(xlabel="episodes", ylabel="return", title="Return of an episode while training")
axes.legend()
plt.show()

# %% [markdown]
# ## The test
#
# New maps, and no exploring. **What do you expect of the course's 20 numbers alone?**


# %%
def greedy(model):
    """Returns the function that takes the best action of each state, by as many inputs as the model has."""
    weights, inputs = model.get_weights(), model.input_shape[1]
    return lambda states: q_values(weights, states[:, :inputs]).argmax(axis=1)


shares["columns"] = reached_share(greedy(columns_model))
shares["columns and bearing"] = reached_share(greedy(model))

# %%
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
bars = axes.barh(list(shares), list(shares.values()))
axes.bar_label(bars, fmt="{:.0%}", padding=3)
axes.set(xlabel=f"share of {TEST_MAPS} new maps on which the station is reached", xlim=(0, 1.1))
axes.invert_yaxis()
plt.show()

# %% [markdown]
# Expect nine of ten new maps or more with the bearing, and about half of them or fewer with the 20 numbers alone. That
# car learns not to crash, and finds the station where it happens to come near. What a network does not get as input it
# cannot use, however long it is trained.
#
# ### The way it drives

# %%
act = greedy(model)
figure, panels = plt.subplots(1, 4, figsize=(14, 3.8), layout="constrained")
for seed, axes in enumerate(panels, start=2_000_000):
    car = Car("bearing", render_mode="rgb_array")
    state, _ = car.reset(seed=seed)
    image, path, ended = car.render(), [car.cars.positions[0]], False
    while not ended:
        state, reward, terminated, truncated, info = car.step(act(state[None])[0])
        path.append(car.cars.positions[0])
        ended = terminated or truncated
    axes.imshow(image, extent=(0, SIZE, 0, SIZE))
    axes.plot(*np.transpose(path), ".-", markersize=3)
    axes.set(xlabel="x", ylabel="y", title=f"{'reached' if info['reached'] else 'lost'} after {len(path) - 1} steps")
plt.show()

# %% [markdown]
# ## Keep the network

# %%
model.save("car.h5")
notebook.download("car.h5")
again = keras.models.load_model("car.h5")
before, after = (network.predict(state[None], verbose=0) for network in (model, again))
print("the same Q values:", np.allclose(before, after), after)

# %% [markdown]
# ## What to try next
#
# - One piece less each time: `train(23, STEPS, memory_size=100)` learns from the newest steps alone, with
#   `copy_every=1` there is no target network, with `end_epsilon=1.0` the car never uses what it knows while it trains.
# - A car that gets no reward for coming nearer: set the rewards in `drive_on` to -1, 0 and 1. How much longer does it
#   take?
# - All three switched off, side by side, and the drive as an animation: `python -m workshop.deep_q_network`.
# - The next notebook trains the probabilities of the actions themselves: policy gradients.
