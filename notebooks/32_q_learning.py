# %% [markdown]
# # Decision processes: what an action is worth when its reward comes later
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/32_q_learning.ipynb)
#
# An agent is in a state, takes an action, gets a reward, and is in another state. Which actions are the best, all in
# all? You compute it where the rules are known, average it where cards decide, and let an agent learn it where nobody
# tells the rules. There is no neural network here: the values stand in tables. About 40 minutes; nothing takes longer
# than some seconds.

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
from functools import cache
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np

from workshop.exercises import check, hint, solution
from workshop.figures import q_learning as figures
from workshop.kit.environments.blackjack import CARDS, Blackjack, add_card, draw, finish_dealer, outcome
from workshop.kit.environments.cliff import NEXT_STATES, REWARDS, START, Cliff

# %% tags=["parameters"] quick="HANDS, EPISODES, RUNS = 50_000, 100, 2"
HANDS = 500_000
EPISODES = 500
RUNS = 10

# %% [markdown]
# ## A process whose rules are known
#
# A dictionary says where one can go from each state, and what it earns. State 5 is the end.

# %%
process = {0: {1: 1, 2: 2}, 1: {3: 1, 4: 1}, 2: {4: -1000}, 3: {5: 1}, 4: {5: 10}, 5: {}}
for state, actions in process.items():
    for to, reward in actions.items():
        print(f"{state} -> {to}: {reward:+}")

# %% [markdown]
# **A question before you go on.** You stand at 0. One step earns 1, the other 2. Which one do you take, and why not the
# larger one?
#
# There are three ways to the end. The sum of the rewards on a way is its **return**:

# %%
for path in ([0, 1, 3, 5], [0, 1, 4, 5], [0, 2, 4, 5]):
    rewards = [process[a][b] for a, b in pairwise(path)]
    print(path, "returns", " + ".join(map(str, rewards)), "=", sum(rewards))

# %% [markdown]
# The **value** of a state is the largest return that one can get from there. Often a reward counts less the later it
# comes: one step later it counts `discount` times as much, a number from 0 to 1.
#
# ### Your turn 1: the value of a state with a discount
#
# In the finite process the rewards are: 0 to 1 +1, 0 to 2 +2, 1 to 3 +1, 1 to 4 +1, 2 to 4 -1000, 3 to 5 +1, 4 to 5
# +10. What is the value of state 0 with the discount 0.9? The first reward counts whole, the second 0.9 times, the
# third 0.81 times.

# %%
value = ...

# %%
check("q_learning.1", value)

# %% [markdown]
# `hint("q_learning.1")` gives a hint, and `solution("q_learning.1")` the solution. Try yourself first.
#
# ## Value iteration
#
# With many states nobody can try all ways. But the values depend on one another: the value of a state is the best of
# reward + discount times the value of the next state. So begin with 0 everywhere, and compute all values anew from the
# last ones, until none changes.

# %%
discount = 1
V = dict.fromkeys(process, 0)
changed = True
while changed:
    print(list(V.values()))
    new = {s: max((r + discount * V[to] for to, r in process[s].items()), default=0) for s in process}
    changed = new != V
    V = new

# %% [markdown]
# After one sweep a value is the best next reward; after two, the best sum of two rewards; after three it is right. The
# best action is the one with the best sum:

# %%
values = np.array(list(V.values()))
figures.processes({f"discount {discount}": figures.graph(process, values, discount)})

# %% [markdown]
# ### Your turn 2: one sweep of value iteration
#
# Write one sweep: the list of the new values of all states, from their values `V` so far. The new value of a state is
# the largest of reward + discount * V[next state] over its actions, and 0 where it has none. `process[state]` gives the
# rewards by the next state, such as `{1: 1, 2: 2}`; the states are 0, 1, 2, ...


# %%
def sweep(process, V, discount):
    """Returns the new values (a list) of the states, from those so far, V (a list)."""
    ...


# %%
check("q_learning.2", sweep)

# %% [markdown]
# ## A process without an end
#
# Stay at 0 and earn 1 in each step, for ever. Or pay 3 once, go to 1, and earn 2 in each step, for ever. Without a
# discount both are worth infinitely much. With one, it decides:

# %%
endless = {0: {0: 1, 1: -3}, 1: {1: 2}}
panels = {}
for discount in (0.5, 0.8, 0.95):
    V = np.zeros(2)
    for _sweep in range(1000):
        V = np.array([max(1 + discount * V[0], -3 + discount * V[1]), 2 + discount * V[1]])
    stay, go = 1 + discount * V[0], -3 + discount * V[1]
    print(f"discount {discount}: stay {stay:.3f}, go {go:.3f}")
    panels[f"discount {discount}"] = figures.graph(endless, V, discount)

# %%
figures.processes(panels)

# %% [markdown]
# ### Your turn 3: the discount that decides
#
# In the endless process you earn 1 in each step for ever, or you pay 3 once (a reward of -3) and then earn 2 in each
# step for ever. From which discount on is it better to pay? Give the discount at which both are worth the same. The sum
# 1 + d + d*d + ... of a discount d is 1 / (1 - d).

# %%
discount = ...

# %%
check("q_learning.3", discount)

# %% [markdown]
# ## Blackjack: chance decides
#
# You and a dealer take cards; who comes nearer to 21 wins, and above 21 one has lost. Face cards count 10, an ace 1
# or 11. You see one card of the dealer's. You **hit** (take a card) as often as you like, then **stay**; the dealer
# hits up to 16 and stays from 17 on. A win earns 1, a loss -1, a draw 0. The deck is endless: no card is ever used up.
#
# An environment of the library gymnasium has two functions. `reset` begins an episode and returns the state, here (your
# total, the dealer's card, whether you have an ace that counts 11). `step` takes an action, 0 to stay or 1 to hit, and
# returns the next state, the reward, and whether the episode is over.

# %%
environment = Blackjack(render_mode="ansi")
state, info = environment.reset(seed=0)
print(environment.render())
for action in (1, 0):
    state, reward, is_over, _, info = environment.step(action)
    print("hit" if action else "stay", "->", state, "reward", reward, info)
    if is_over:
        break

# %% [markdown]
# ### Your turn 4: an ace counts 1 or 11
#
# A hand has a total, and `ace` is 1 if one of its aces counts 11, else 0. It takes a card, 1 (an ace) to 10. Return the
# new total and the new `ace`, two numbers. An ace counts 11 where the total then is 21 or less, else 1; and an ace that
# counted 11 counts 1 once the total would be more than 21.


# %%
def add_one_card(total, ace, card):
    """Returns the total and whether an ace counts 11 (1 or 0), after one more card."""
    ...


# %%
check("q_learning.4", add_one_card)

# %% [markdown]
# ### The exact solution
#
# Where chance decides, the value of an action is a mean. Each of the 13 cards is as likely as another, so the value of
# hitting is the mean over the 13 of what one can do then; that of staying comes from the totals with which the dealer
# may end. (`cache` remembers what was computed before.)


# %%
@cache
def dealer_ends(total, ace):
    """Returns the probabilities of the dealer's last totals, 0 to 21 and, last, bust."""
    if total >= 17:
        return np.eye(23)[min(total, 22)]
    return np.mean([dealer_ends(*map(int, add_card(total, ace, card))) for card in CARDS], axis=0)


# %%
@cache
def stay(total, shown):
    ends = dealer_ends(*map(int, add_card(0, 0, shown)))
    return ends[22] + ends[:total].sum() - ends[total + 1 : 22].sum()


@cache
def hit(total, ace, shown):
    return np.mean([best(*map(int, add_card(total, ace, card)), shown) for card in CARDS])


def best(total, ace, shown):
    return -1 if total > 21 else max(stay(total, shown), hit(total, ace, shown))


# %% [markdown]
# **A question.** You have 18 without an ace, the dealer shows a 9. You expect to lose a little either way. How much
# worse is it to hit? (Some slides give -0.5 for hitting: their rules differ.)

# %%
print(f"stay {stay(18, 9):.3f}, hit and then play optimally {hit(18, 0, 9):.3f}")

# %%
exact = np.zeros((2, 10, 10, 2))  # ace, total from 12, dealer's card from 1, action
for ace, row, column in np.ndindex(2, 10, 10):
    exact[ace, row, column] = stay(row + 12, column + 1), hit(row + 12, ace, column + 1)
figures.policy(exact, exact)

# %% [markdown]
# Below 12 nobody can lose by hitting, so there is nothing to decide. The map is known as the **basic strategy**.
#
# ### Monte Carlo: play and average
#
# An agent that does not know the odds can play many hands, and take the mean of what each action in each state led to.
# So that everything is tried, each hand begins in a random state with a random action (**exploring starts**); after
# that it plays the action that looks best so far. All hands of a batch are played at once, in arrays.


# %%
def play(total, ace, shown, action, policy, random):
    """Plays hands (n,) to their ends; returns the visited (ace, total, card, action) as numbers, and their returns."""
    dealer = finish_dealer(shown, lambda n: draw(random, n))
    playing, returns = np.arange(len(total)), np.empty(len(total))
    visited, hands = [], []
    while len(playing):
        cell = ace[playing], total[playing] - 12, shown[playing] - 1
        done = policy[cell] if visited else action
        visited.append(np.ravel_multi_index((*cell, done), (2, 10, 10, 2)))
        hands.append(playing)
        stays, playing = playing[done == 0], playing[done == 1]
        returns[stays] = outcome(total[stays], dealer[stays])
        total[playing], ace[playing] = add_card(total[playing], ace[playing], draw(random, len(playing)))
        is_bust = total[playing] > 21
        returns[playing[is_bust]] = -1
        playing = playing[~is_bust]
    return np.concatenate(visited), returns[np.concatenate(hands)]


# %%
random = np.random.default_rng(1)
sums, visits = np.zeros(400), np.zeros(400)
for _batch in range(HANDS // 5000):
    learned = (sums / np.maximum(visits, 1)).reshape(2, 10, 10, 2)
    total, shown = random.integers(12, 22, 5000), random.integers(1, 11, 5000)
    ace, action = random.integers(2, size=5000), random.integers(2, size=5000)
    cells, returns = play(total, ace, shown, action, learned.argmax(axis=-1), random)
    visits += np.bincount(cells, minlength=400)
    sums += np.bincount(cells, returns, minlength=400)
learned = (sums / np.maximum(visits, 1)).reshape(2, 10, 10, 2)
print(f"hard 18 against a 9: stay {learned[0, 6, 8, 0]:.3f}, hit {learned[0, 6, 8, 1]:.3f}")

# %% [markdown]
# **A question.** After 500,000 hands, each state-action pair was visited some thousand times. A return is 1 or -1 most
# of the time, and the mean of n of them is off by about 0.9 / sqrt(n). How far off do you expect the values to be, on
# average and in the worst of 200 states?

# %%
error = np.abs(learned.max(axis=-1) - exact.max(axis=-1))
right = np.sum(learned.argmax(axis=-1) == exact.argmax(axis=-1))
print(f"mean error {error.mean():.3f}, largest {error.max():.3f}; {np.sum(error < 0.03)} of 200 below 0.03")
print(f"the better action found in {right} of 200 states")

# %%
figures.policy(exact, learned)

# %%
figures.values({"exact": exact, f"after {HANDS:,} hands": learned})

# %% [markdown]
# The crosses are where both actions are nearly worth the same: to tell 0.01 apart takes tens of thousands of visits.
#
# ## The cliff: nobody tells the rules
#
# A grid of 4 x 12, the start below on the left, the goal below on the right, and between them a cliff. A move costs 1;
# who moves onto the cliff pays 100 and is put back to the start. The agent only sees where it is and what it pays.

# %%
environment = Cliff(render_mode="rgb_array")
environment.reset(seed=1)
for action in (0, 1, 1, 2):  # up, right, right, down
    state, reward, is_over, _, info = environment.step(action)
    print(("up", "right", "down", "left")[action], "-> cell", state, "reward", reward)

# %%
environment.reset()
environment.step(0)
plt.figure(figsize=(8, 3))
plt.imshow(environment.render())
plt.axis("off")
plt.show()

# %% [markdown]
# It keeps a table Q: for each cell and move, the return that it expects. After each step it moves one number of the
# table towards a better estimate. Most of the time it takes the best move so far, and with probability `epsilon` a
# random one.
#
# ### Your turn 5: the update of Q-learning
#
# After a step, Q-learning moves the value `q` of the action that was taken towards a target: the reward + the discount
# times the largest value in the next state. It moves by the share `rate` of the way: all the way at 1, not at all at 0.
# Return the new value. `next_values` holds the values of the actions in the next state.


# %%
def updated(q, reward, next_values, rate, discount):
    """Returns the new value of an action; next_values is an array (actions,)."""
    ...


# %%
check("q_learning.5", updated)

# %% [markdown]
# A second rule, **SARSA**, takes as its target the reward + the value of the move that is really taken next, random
# ones included. (Its name lists what it needs: state, action, reward, state, action.) One line differs:


# %%
def train(rule, episodes, epsilon=0.1, rate=0.5, seed=1):
    """Returns the table Q (cells, moves), the return of each episode, and how often each cell was visited."""
    random, environment = np.random.default_rng(seed), Cliff()
    Q, returns, visits = np.zeros((48, 4)), np.zeros(episodes), np.zeros(48)

    def act(state):
        return int(random.integers(4)) if random.random() < epsilon else int(Q[state].argmax())

    for episode in range(episodes):
        state, _ = environment.reset()
        action, is_over = act(state), False
        while not is_over:
            next_state, reward, is_over, _, _ = environment.step(action)
            next_action = act(next_state)
            later = Q[next_state, next_action] if rule == "SARSA" else Q[next_state].max()
            Q[state, action] += rate * (reward + later - Q[state, action])
            state, action = next_state, next_action
            returns[episode] += reward
            visits[state] += episode >= episodes // 2
    return Q, returns, visits


# %%
results = {rule: [train(rule, EPISODES, seed=seed) for seed in range(RUNS)] for rule in ("Q-learning", "SARSA")}
for rule, runs in results.items():
    returns = np.array([returns for _, returns, _ in runs])
    first, last = returns[:, : EPISODES // 5].mean(), returns[:, -EPISODES // 5 :].mean()
    print(f"{rule}: {first:.1f} an episode at first, {last:.1f} at last")

# %% [markdown]
# **A question.** Both know the grid by now. Why does one of them still pay so much more?


# %%
def greedy_path(Q):
    """Returns the cells of the path of the best moves, without random ones."""
    environment = Cliff()
    state, _ = environment.reset()
    path, is_over = [state], False
    while not is_over and len(path) < 40:
        state, _, is_over, _, _ = environment.step(int(Q[state].argmax()))
        path.append(state)
    return path


# %%
paths = {}
for rule, runs in results.items():
    path = greedy_path(np.mean([Q for Q, _, _ in runs], axis=0))
    paths[f"{rule}: {len(path) - 1} moves"] = sum(visits for _, _, visits in runs), path
figures.cliff_ways(paths, 4, 12)

# %% [markdown]
# Q-learning learns the shortest way: its target is the best next move. But while it learns, one move in ten is random,
# and along the edge that is soon a fall. SARSA's values are those of the way that it really walks, stumbling included,
# so it keeps away from the edge. It earns more while it learns, and knows a longer way at the end. (With few episodes
# the ways may not be found yet.)
#
# How much can one earn at best, if one move in ten is random? Had anybody told the rules, value iteration would know:

# %%
V = np.zeros(48)
for _sweep in range(1000):
    sums = REWARDS + V[NEXT_STATES]  # of each move in each cell
    V = 0.9 * sums.max(axis=1) + 0.1 * sums.mean(axis=1)
print(f"{V[START]:.2f} an episode")

# %%
curves = {rule: np.array([returns for _, returns, _ in runs]) for rule, runs in results.items()}
figures.cliff_curves(curves, "best with a random move in ten", V[START])

# %% [markdown]
# The curves are means of all runs over ten episodes each; the bands hold the middle half of the runs.
#
# ### Your turn 6: SARSA without random moves
#
# SARSA learns on the cliff again from the beginning, this time without any random moves: epsilon is 0. All values begin
# at 0, so that it still tries every move that looks no worse. Where does its way end up? "a": along the upper border,
# as before. "b": along the edge of the cliff, as that of Q-learning. "c": it never arrives. Give the letter.

# %%
way = ...

# %%
check("q_learning.6", way)

# %% [markdown]
# Now try it:

# %%
Q, returns, visits = train("SARSA", EPISODES, epsilon=0)
sure_way = greedy_path(Q)
figures.draw_cliff(plt.figure(figsize=(9, 3)).gca(), np.zeros((4, 12)), f"epsilon = 0: {len(sure_way) - 1} moves")
plt.plot(np.array(sure_way) % 12, np.array(sure_way) // 12, linewidth=4)
plt.show()

# %% [markdown]
# ## What to try next
#
# - `rate=0.1` for SARSA: its values no longer jump with each fall. Is its way still so careful?
# - **Expected SARSA** takes as its target the mean of the next values, by the probabilities of the moves:
#   `later = 0.9 * Q[next_state].max() + 0.1 * Q[next_state].mean()`. How much does it earn while it learns?
# - In blackjack, let twenty players play against each hand of the dealer: the same 500,000 hands of the dealer then
#   bring every state within 0.03. `python -m workshop.q_learning --part blackjack` does it.
# - A grid has 48 states, a car among obstacles endlessly many. No table holds those; a neural network in place of the
#   table does: the next notebook.
