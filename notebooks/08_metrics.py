# %% [markdown]
# # Metrics: how good is it, and how good will it be?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/08_metrics.ipynb)
#
# Accuracy alone hides what goes wrong. You count the four outcomes of a prediction, draw a ROC curve, split and fold
# data, and see models that have learned their samples by heart. About 25 minutes; nothing here takes longer than a few
# seconds.

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
import matplotlib.pyplot as plt
import numpy as np
from sklearn import metrics
from sklearn.model_selection import KFold, train_test_split
from sklearn.svm import SVR

from workshop.exercises import check, hint, solution
from workshop.figures import metrics as figures

# %% [markdown]
# ## Nine patients
#
# Five are ill (1), four are healthy (0). A model gave each a score, the probability of being ill, and calls ill whoever
# has 0.5 or more.

# %%
ill = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0])
scores = np.array([0.9, 0.8, 0.7, 0.6, 0.3, 0.8, 0.65, 0.4, 0.1])
predicted = (scores >= 0.5).astype(int)
print("ill      ", ill)
print("predicted", predicted)

# %% [markdown]
# **A question before you go on.** The model is wrong in two ways. Which of them would you rather avoid?
#
# A **true positive** is ill and is called ill; a **false positive** is healthy and is called ill. A **true negative**
# is healthy and is called healthy; a **false negative** is ill and is called healthy.
#
# ### Your turn 1: count the four outcomes
#
# Count true positives, true negatives, false negatives and false positives, and return the four counts in this order.
# Positive is the class 1; true and false say whether the prediction is right.


# %%
def outcomes(y_true, y_predicted):
    """Returns (tp, tn, fn, fp) for classes and predictions (samples,), each 0 or 1."""
    ...


# %%
check("metrics.1", outcomes)

# %% [markdown]
# `hint("metrics.1")` gives a hint, and `solution("metrics.1")` the solution. Try yourself first.
#
# scikit-learn counts them in a **confusion matrix**: a row for each true class, a column for each predicted one.

# %%
matrix = metrics.confusion_matrix(ill, predicted)
(tn, fp), (fn, tp) = matrix
print(matrix)
print(f"TP={tp}, TN={tn}, FN={fn}, FP={fp}")

# %% [markdown]
# ## Seven numbers out of four

# %%
print(f"accuracy    {(tp + tn) / (tp + tn + fn + fp):.3f}   of all, those it gets right")
print(f"precision   {tp / (tp + fp):.3f}   of those called ill, the ill")
print(f"recall      {tp / (tp + fn):.3f}   of the ill, those found")
print(f"specificity {tn / (tn + fp):.3f}   of the healthy, those called healthy")
print(f"FPR         {fp / (tn + fp):.3f}   of the healthy, the false alarms")
print(f"FNR         {fn / (tp + fn):.3f}   of the ill, those missed")

# %%
print("accuracy ", metrics.accuracy_score(ill, predicted))
print("precision", metrics.precision_score(ill, predicted))
print("recall   ", metrics.recall_score(ill, predicted))
print("F1       ", metrics.f1_score(ill, predicted))

# %% [markdown]
# **A question.** A model calls nobody ill. What is its accuracy among 1,000 people of whom 10 are ill?
#
# ### Your turn 2: A rare illness
#
# Of 1,000 people 10 are ill. A test calls 8 of these 10 ill, and by mistake also 99 of the 990 healthy ones. Somebody
# gets the result: ill. What is the probability that it is true, the **precision** of the test? Give a number from 0 to
# 1, or let Python compute it.

# %%
precision = ...

# %%
check("metrics.2", precision)

# %% [markdown]
# F1 is one number for precision and recall together.
#
# ### Your turn 3: F1 by hand
#
# F1 is the harmonic mean of precision and recall: 2 times their product, divided by their sum. Return it from the
# counts of true positives, false positives and false negatives.


# %%
def f1(tp, fp, fn):
    """Returns F1, 0 to 1; at least one sample is a true positive."""
    ...


# %%
check("metrics.3", f1)

# %% [markdown]
# ## All thresholds at once: the ROC curve
#
# 0.5 is a choice. A lower threshold finds more of the ill, and raises more false alarms. The ROC curve shows both for
# every threshold, and the area under it (AUC) is one number that needs no threshold.

# %%
fpr, tpr, thresholds = metrics.roc_curve(ill, scores, drop_intermediate=False)
auc = metrics.roc_auc_score(ill, scores)
figures.classification(matrix, fpr, tpr, thresholds, auc)

# %% [markdown]
# The area has a meaning: take an ill and a healthy patient at random. In which share of all pairs has the ill one the
# higher score? A tie counts as half.

# %%
pairs = scores[ill == 1][:, None] - scores[ill == 0]
print("area", auc, "share of pairs", np.mean(pairs > 0) + 0.5 * np.mean(pairs == 0))

# %% [markdown]
# ## Train, validate, test
#
# A model is fitted to the **training** data. Which model, how many layers, how long: that is chosen by the
# **validation** data. How good it is at the end is said by the **test** data, which nothing was chosen by.

# %%
samples = np.arange(1000)
for train_share in (0.6, 0.7, 0.8):
    train, rest = train_test_split(samples, train_size=train_share, random_state=1)
    validation, test = train_test_split(rest, test_size=0.5, random_state=1)
    error = np.sqrt(0.9 * 0.1 / len(test))
    print(f"{len(train)}, {len(validation)}, {len(test)}: an accuracy of 90 % is known to +-{100 * error:.1f} %")

# %% [markdown]
# **A question.** With 40 samples, a tenth is four. How well do four samples tell how good a model is?
#
# Then fold: each sample is tested once, and the results are averaged.

# %%
for number, (train, test) in enumerate(KFold(4).split(np.arange(12))):
    print(f"fold {number}: trained on {train}, tested on {test}")
print("false positive rates of 3, 4 and 5 %: mean", np.mean([3, 4, 5]), "%")

# %% [markdown]
# ### Your turn 4: folds
#
# Cross-validation tests each sample exactly once. Return `k` lists of sample numbers, the test sets of the folds:
# together they hold each of 0 to n - 1 once. Where n cannot be divided by k, the sizes differ by one at most.


# %%
def folds(n, k):
    """Returns a list of k lists: the numbers of the samples that are tested in each fold."""
    ...


# %%
check("metrics.4", folds)

# %% [markdown]
# ## Learned by heart
#
# Four samples: three lie on the line y = 2x, the first one is a faulty measurement. A polynomial of degree 3 goes
# through all four, the line only through the three.

# %%
x, y = np.array([0.0, 1.0, 2.0, 3.0]), np.array([8.0, 2.0, 4.0, 6.0])
polynomial = np.polynomial.Polynomial.fit(x, y, 3)
line = np.polynomial.Polynomial.fit(x[1:], y[1:], 1)

# %%
grid = np.linspace(-0.2, 4.2, 100)
plt.plot(grid, polynomial(grid), label="polynomial of degree 3")
plt.plot(grid, line(grid), "--", label="line")
plt.plot(x, y, "ko", label="samples")
plt.xlabel("x")
plt.ylabel("y")
plt.title("A faulty sample at x = 0")
plt.legend()
plt.show()

# %% [markdown]
# **A question.** The polynomial has no error on any sample. What do the two say of x = 4, and which do you believe?

# %%
print(f"polynomial f(4) = {polynomial(4.0):z.4f}, line f(4) = {line(4.0):z.4f}")  # z: 0 in place of -0

# %% [markdown]
# The same with noise: 12 samples around a line, and 200 others that nothing was fitted to.

# %%
random = np.random.default_rng(1)
x, x_new = np.linspace(0, 10, 12), random.uniform(0, 10, 200)
y, y_new = (1 + 2 * values + random.normal(0, 2, len(values)) for values in (x, x_new))
for degree in (1, 3, 6, 11):
    fit = np.polynomial.Polynomial.fit(x, y, degree)
    train, test = (np.sqrt(np.mean((fit(a) - b) ** 2)) for a, b in ((x, y), (x_new, y_new)))
    print(f"degree {degree:2}: error on its own samples {train:6.3f}, on others {test:8.3f}")

# %% [markdown]
# ## Not only polynomials: a support vector regression
#
# 100 samples of a sine, with uniform noise of up to 0.5. The parameter `gamma` says how far a sample's influence
# reaches: a large one reaches only to its neighbours.

# %%
x, x_new = np.arange(100.0), random.uniform(0, 99, 200)
y, y_new = (np.sin(np.pi * values / 50) + random.uniform(-0.5, 0.5, len(values)) for values in (x, x_new))
settings = {"gamma scale": (1.0, "scale"), "gamma auto": (1.0, "auto"), "C 1000, gamma 1e-4": (1e3, 1e-4)}
panels = {}
for name, (C, gamma) in settings.items():
    model = SVR(C=C, gamma=gamma).fit(x[:, None], y)
    train, test = (np.sqrt(np.mean((model.predict(a[:, None]) - b) ** 2)) for a, b in ((x, y), (x_new, y_new)))
    print(f"{name}: error on its own samples {train:.3f}, on others {test:.3f}")
    curves = {"prediction": model.predict(np.linspace(0, 99, 500)[:, None])}
    panels[name] = figures.Predictions(x, y, np.linspace(0, 99, 500), curves)

# %%
figures.regressions(panels)

# %% [markdown]
# scikit-learn's default was `auto` until version 0.22: 1 divided by the number of features, whatever their range. Here
# a sample's influence ends at its neighbours, and the curve follows the noise. Today's `scale` divides by the variance
# of x as well. Courses that are older show the overfitted curve for "the defaults".
#
# ### Your turn 5: choose a model
#
# Polynomials of the degrees 1, 3, 5, 9 and 14 were fitted to the same training data. Their errors there, in this order:
# 0.48, 0.33, 0.19, 0.11, 0.00. Their errors on validation data: 0.49, 0.36, 0.23, 0.38, 2.90. Which degree do you take?

# %%
degree = ...

# %%
check("metrics.5", degree)

# %% [markdown]
# ## Bias and variance
#
# Why is the error lowest in the middle? Fit polynomials to 500 data sets of the same sine, each with its own noise.
# **Bias**: how far the mean of all fits is from the truth. **Variance**: how far the fits lie apart.

# %%
x_train, x = np.linspace(0, 360, 15), np.linspace(0, 360, 100)
truth = np.sin(np.radians(x))
data_sets = np.sin(np.radians(x_train)) + random.normal(0, 0.2, (500, 15))
fits, parts, errors = {}, {"bias^2": [], "variance": [], "noise": []}, []

# %%
for degree_of_fit in range(13):
    powers = np.polynomial.chebyshev.chebvander  # as x, x^2, x^3, ... but with small numbers
    train_powers, new_powers = powers(x_train / 180 - 1, degree_of_fit), powers(x / 180 - 1, degree_of_fit)
    fits[degree_of_fit] = data_sets @ np.linalg.pinv(train_powers).T @ new_powers.T
    predictions = fits[degree_of_fit]
    parts["bias^2"].append(np.mean((predictions.mean(axis=0) - truth) ** 2))
    parts["variance"].append(np.mean(predictions.var(axis=0)))
    parts["noise"].append(0.2**2)
    y_new = truth + random.normal(0, 0.2, predictions.shape)
    errors.append(np.mean((predictions - y_new) ** 2))

# %%
best = int(np.argmin(errors))
for number in (0, 1, 3, best, 9, 12):
    total = sum(part[number] for part in parts.values())
    print(f"degree {number:2}: bias^2 + variance + noise {total:.4f}, error on new data {errors[number]:.4f}")

# %%
figures.bias_variance([(number, fits[number]) for number in (1, best, 12)], truth, parts, errors)

# %% [markdown]
# **A question.** You get ten times as many samples. Which of the three parts becomes smaller?
#
# ## What to try next
#
# - Nine other patients: change one score, and follow the ROC curve.
# - `KFold(4, shuffle=True)`: when must samples be shuffled, and when must they not (think of a series in time)?
# - 50 samples in place of 15 in each data set: where is the best degree now?
# - The next notebook: admission, two classes and a boundary that has to bend.
