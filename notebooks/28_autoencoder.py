# %% [markdown]
# # Autoencoders: images through a narrow layer
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/28_autoencoder.ipynb)
#
# A network is to reproduce its input, though only a few numbers fit through its middle. Nobody says what a digit is;
# to get one through, the network has to find out by itself. You reconstruct digits from 32 numbers, clean noisy ones,
# find images that do not belong, and draw a map of the digits. About 20 minutes.

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
import keras
import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score, roc_curve

from workshop.exercises import check, hint, solution
from workshop.figures import autoencoder as figures
from workshop.kit.data.images import load_image_set

# %% [markdown]
# ## Two numbers through one
#
# The smallest autoencoder has two inputs, one number in the middle (the *code*) and two outputs. No activations, no
# biases, so it can be followed with a pencil: all weights are 1/sqrt(2).

# %% [markdown]
# ### Your turn 1: two numbers through one
#
# A network 2 - 1 - 2 without biases and activations; all four weights are 1/sqrt(2). The point (3, 1) goes in. Which
# two numbers come out? Give a list of them, or let Python compute it.

# %%
out = ...

# %%
check("autoencoder.1", out)

# %% [markdown]
# The same for a cloud of points along the diagonal. **What does the network lose, and when would it lose nothing?**

# %%
w = 1 / np.sqrt(2)
numbers = keras.Sequential(
    [
        keras.Input((2,)),
        keras.layers.Dense(1, use_bias=False, name="code"),
        keras.layers.Dense(2, use_bias=False),
    ]
)
numbers.set_weights([np.array([[w], [w]]), np.array([[w, w]])])
along, across = np.random.default_rng(1).normal(0, [[1.5], [0.4]], (2, 200))
cloud = np.stack([along - across, along + across], axis=1) * w

# %%
back = numbers.predict(cloud, verbose=0)
axis = PCA(1).fit(cloud).components_[0]
print(f"mean squared error {np.mean((cloud - back) ** 2):.4f}")
figures.numbers(cloud, back, axis)

# %% [markdown]
# The dashed line is the first component of *principal component analysis* (PCA): the direction in which the cloud is
# longest. It is the best one number for these points, and a linear autoencoder that is trained finds it, too.
#
# ## Digits
#
# Now 784 numbers, the pixels of a digit. Where MNIST cannot be had, scikit-learn's smaller digits are taken.

# %% tags=["parameters"] quick="TRAIN_IMAGES, TEST_IMAGES, EPOCHS, LINEAR_EPOCHS = 1000, 500, 1, 20"
TRAIN_IMAGES = 60_000
TEST_IMAGES = 10_000
EPOCHS = 4
LINEAR_EPOCHS = 250

# %%
digits = load_image_set("mnist").first(TRAIN_IMAGES, TEST_IMAGES)
print(digits.source)
X_train = digits.X_train / np.float32(255)
X_test = digits.X_test / np.float32(255)
held_out = len(X_train) // 12  # of the training images, for a threshold later
X_train, X_known = X_train[:-held_out], X_train[-held_out:]
print("train", X_train.shape, "held out", X_known.shape, "test", X_test.shape)

# %% [markdown]
# ### PCA, and a network that finds the same
#
# Without activations the network can only turn and squash space, which is what PCA does. Nine numbers in the middle,
# the first 1,000 images, and the mean image is taken off beforehand.

# %%
flat = X_train[:1000].reshape(-1, 784)
mean = flat.mean(axis=0)
pca_9 = PCA(9).fit(flat)

linear = keras.Sequential(
    [keras.Input((784,)), keras.layers.Dense(9, name="code"), keras.layers.Dense(784)],
)
linear.compile(
    optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.02, LINEAR_EPOCHS)),
    loss="mean_squared_error",
)
linear_history = linear.fit(flat - mean, flat - mean, batch_size=1000, epochs=LINEAR_EPOCHS, verbose=0)

# %%
from scipy.linalg import subspace_angles

decoder = linear.layers[-1].get_weights()[0]  # (9, 784): nine images
angle = subspace_angles(decoder.T, pca_9.components_.T).max()
print(f"largest angle between the two subspaces of nine dimensions: {angle:.4f} rad")
rows = {"PCA": pca_9.components_.reshape(-1, 28, 28, 1), "linear network": decoder.reshape(-1, 28, 28, 1)}
figures.image_rows(rows, "Digits are sums of these (purple +, orange -)", has_signs=True)

# %% [markdown]
# **A question.** The nine images of the network look different from PCA's, and yet the angle is nearly 0. How can
# that be? (Think of a table: how many ways are there to draw two axes on its top?)
#
# ## A deep autoencoder
#
# With hidden layers and relu the network may bend space. 784 - 256 - 32 - 256 - 784: a digit in 32 numbers. The
# target is the input itself: `fit(X, X)`. The learning rate rises to 0.01 in the first tenth of the steps, and falls
# to 0 along a cosine.

# %%
deep = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        keras.layers.Flatten(),
        keras.layers.Dense(256, activation="relu"),
        keras.layers.Dense(32, name="code"),
        keras.layers.Dense(256, activation="relu"),
        keras.layers.Dense(784, activation="sigmoid"),
        keras.layers.Reshape((28, 28, 1)),
    ]
)
deep.summary()

# %%
steps = EPOCHS * -(-len(X_train) // 128)
rate = keras.optimizers.schedules.CosineDecay(0.001, steps * 9 // 10, warmup_target=0.01, warmup_steps=steps // 10)
deep.compile(optimizer=keras.optimizers.Adam(rate, beta_2=0.99), loss="mean_squared_error")
deep_history = deep.fit(X_train, X_train, batch_size=128, epochs=EPOCHS)

# %% [markdown]
# Is it better than PCA with as many numbers? On MNIST expect a mean squared error of 0.006 or less, where PCA has
# 0.017.

# %%
pca = PCA(32, svd_solver="covariance_eigh").fit(X_train.reshape(-1, 784))
by_pca = pca.inverse_transform(pca.transform(X_test.reshape(-1, 784))).reshape(X_test.shape)
reconstructed = deep.predict(X_test, batch_size=1000, verbose=0)
print(f"PCA {np.mean((X_test - by_pca) ** 2):.4f}, deep network {deep.evaluate(X_test, X_test, verbose=0):.4f}")

# %%
rows = {"test images": X_test, "PCA": np.clip(by_pca, 0, 1), "deep network": reconstructed}
figures.image_rows(rows, "Digits, reconstructed from 32 numbers")

# %% [markdown]
# ## What does not belong
#
# The network learned to squeeze digits, and nothing else. An image of another kind comes back badly: its
# reconstruction error says that something is odd. So one finds broken parts, strange heartbeats, false bank
# transfers, and needs no example of them beforehand.

# %% [markdown]
# ### Your turn 2: an error for each image
#
# Return the mean squared error of **each** image: the mean of the squared differences of its pixels. `images` and
# `reconstructions` are arrays (n, height, width); the result has n numbers.


# %%
def reconstruction_errors(images, reconstructions):
    """Returns (n,) mean squared errors, of images and reconstructions of shape (n, height, width)."""
    ...


# %%
check("autoencoder.2", reconstruction_errors)

# %% [markdown]
# Garments from Fashion-MNIST, which the network never saw:

# %%
garments = load_image_set("fashion_mnist").first(1, TEST_IMAGES).X_test / np.float32(255)
garments_back = deep.predict(garments, batch_size=1000, verbose=0)
figures.image_rows({"garments": garments, "deep network": garments_back}, "It knows digits only")

# %%
known_back = deep.predict(X_known, batch_size=1000, verbose=0)
errors = {
    "held-out digits": ((X_known - known_back) ** 2).reshape(len(X_known), -1).mean(axis=1),
    "test digits": ((X_test - reconstructed) ** 2).reshape(len(X_test), -1).mean(axis=1),
    "garments": ((garments - garments_back) ** 2).reshape(len(garments), -1).mean(axis=1),
}
for name, values in errors.items():
    print(f"{name}: mean error {values.mean():.4f}")

# %% [markdown]
# **A question.** From which error on would you say "no digit"? A low threshold finds all garments and suspects
# digits, a high one misses garments. Choose it by what it costs: by the share of digits that you are willing to
# suspect.

# %% [markdown]
# ### Your turn 3: A threshold for anomalies
#
# `known` are the reconstruction errors of validation images as they should be. Choose the threshold so that the share
# `false_alarms` of **these** lies above it (`np.quantile`), and return an array of True and False: which of `errors`
# lie above the threshold?


# %%
def is_anomaly(errors, known, false_alarms):
    """Returns (n,) True or False for errors (n,); known (m,) are errors of images that are no anomalies."""
    ...


# %%
check("autoencoder.3", is_anomaly)

# %% [markdown]
# Here the threshold is the error that one held-out digit in a hundred exceeds. The area under the ROC curve is 1 if
# some threshold tells all garments from all digits, and 0.5 for guessing.

# %%
is_garment = np.repeat([0, 1], [len(X_test), len(garments)])
scores = np.concatenate([errors["test digits"], errors["garments"]])
auc = roc_auc_score(is_garment, scores)
false_positives, true_positives, _ = roc_curve(is_garment, scores)
one_percent = np.sort(errors["held-out digits"])[-max(1, len(X_known) // 100)]
figures.anomalies(errors, one_percent, (false_positives, true_positives), auc)

# %% [markdown]
# ## Noise off
#
# To clean images the network gets noisy ones. How is it trained?

# %% [markdown]
# ### Your turn 4: what goes in, what is to come out
#
# A network is to take noise off images. Which images does `fit(inputs, targets)` get? `"a"`: noisy inputs, the same
# noisy images as targets. `"b"`: clean inputs, noisy targets. `"c"`: noisy inputs, clean targets. `"d"`: clean
# inputs, clean targets.

# %%
choice = ...

# %%
check("autoencoder.4", choice)


# %%
def add_noise(images, level, random):
    """Returns images with normal noise of this standard deviation, cut off at 0 and 1."""
    noisy = images + np.float32(level) * random.standard_normal(images.shape, np.float32)
    return np.clip(noisy, 0, 1)


random = np.random.default_rng(1)
noisy_train = add_noise(X_train, 0.5, random)
noisy_test = add_noise(X_test, 0.5, random)

# %%
denoiser = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        keras.layers.Flatten(),
        keras.layers.Dense(256, activation="relu"),
        keras.layers.Dense(128, name="code"),
        keras.layers.Dense(256, activation="relu"),
        keras.layers.Dense(784, activation="sigmoid"),
        keras.layers.Reshape((28, 28, 1)),
    ]
)
denoiser.compile(optimizer=keras.optimizers.Adam(0.001), loss="mean_squared_error")
denoiser_history = denoiser.fit(noisy_train, X_train, batch_size=128, epochs=max(1, EPOCHS // 2))

# %%
cleaned = denoiser.predict(noisy_test, batch_size=1000, verbose=0)
print(f"error before {np.mean((noisy_test - X_test) ** 2):.4f}, after {np.mean((cleaned - X_test) ** 2):.4f}")
rows = {"test images": X_test, "with noise": noisy_test, "cleaned": cleaned}
figures.image_rows(rows, "Noise off")

# %% [markdown]
# ## A map of the digits
#
# A code of **two** numbers can be drawn. Each test image becomes a point, and nobody told the network the labels,
# which only colour the points. *silu* is a smooth relu: a map without creases.

# %%
hidden = {"activation": "silu"}
mapper = keras.Sequential(
    [
        keras.Input((784,)),
        keras.layers.Dense(256, **hidden),
        keras.layers.Dense(64, **hidden),
        keras.layers.Dense(2, name="code"),
        keras.layers.Dense(64, **hidden),
        keras.layers.Dense(256, **hidden),
        keras.layers.Dense(784, activation="sigmoid"),
    ]
)
steps = max(1, EPOCHS // 2) * -(-len(X_train) // 128)
rate = keras.optimizers.schedules.CosineDecay(0.0007, steps * 9 // 10, warmup_target=0.007, warmup_steps=steps // 10)
mapper.compile(optimizer=keras.optimizers.Adam(rate, beta_2=0.99), loss="mean_squared_error")
X_rows = X_train.reshape(-1, 784)
mapper_history = mapper.fit(X_rows, X_rows, batch_size=128, epochs=max(1, EPOCHS // 2))

# %%
encoder = keras.Model(mapper.inputs[0], mapper.get_layer("code").output)
codes = encoder.predict(X_test.reshape(-1, 784), batch_size=1000, verbose=0)
maps = {"PCA": pca.transform(X_test.reshape(-1, 784))[:, :2], "autoencoder": codes}
figures.latent_maps(maps, digits.y_test, digits.classes)

# %% [markdown]
# **A question.** Which digits lie side by side, and do you understand why? The decoder makes an image of any point of
# the map, also of one where no digit lies. Walk from the middle of the zeros to the middle of the ones:

# %%
decoder_input = keras.Input((2,))
output = decoder_input
for layer in mapper.layers[-3:]:
    output = layer(output)
decode = keras.Model(decoder_input, output)
zero, one = np.median(codes[digits.y_test == 0], axis=0), np.median(codes[digits.y_test == 1], axis=0)
points = np.linspace(zero, one, 10)
figures.image_rows({"on the way": decode.predict(points, verbose=0).reshape(-1, 28, 28, 1)}, "From zero to one")

# %% [markdown]
# ## Keep the model
#
# `python -m apps.clean --model denoiser.h5 NOISY-DIGIT.png` cleans an image with it. The loss is saved under its
# full name, `"mean_squared_error"`: a model that was compiled with `"mse"` and saved as `.h5` does not load again in
# some versions of Keras.

# %%
denoiser.save("denoiser.h5")
notebook.download("denoiser.h5")
again = keras.models.load_model("denoiser.h5")
print("the same predictions:", np.allclose(again.predict(noisy_test[:100], verbose=0), cleaned[:100], atol=1e-5))

# %% [markdown]
# ## What to try next
#
# - 8 numbers in the middle in place of 32: which digits suffer first?
# - Noise of 0.8 on the test images, though the network was trained at 0.5.
# - The other way round: train on garments, and find the digits.
# - `python -m workshop.autoencoder` also has a convolutional autoencoder, and fills in pixels that were lost.
