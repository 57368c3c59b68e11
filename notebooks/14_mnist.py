# %% [markdown]
# # Handwritten digits: a dense network, and a convolutional one
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/14_mnist.ipynb)
#
# 70,000 digits of 28x28 pixels, written by hand. You look at them, build the two classic networks that read them, and
# find out which one is better and why. About 15 minutes.

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

from workshop.exercises import check, hint, solution
from workshop.figures import mnist as figures
from workshop.kit.data.images import load_image_set

# %% [markdown]
# ## The data
#
# Half of a neural network is its data, so look at it before you train anything.

# %% tags=["parameters"] quick="TRAIN_IMAGES, TEST_IMAGES, EPOCHS = 1000, 500, 1"
TRAIN_IMAGES = 60_000
TEST_IMAGES = 10_000
EPOCHS = 3

# %%
images = load_image_set("mnist").first(TRAIN_IMAGES, TEST_IMAGES)
print(images.source)
print("X_train", images.X_train.shape, images.X_train.dtype, "y_train", images.y_train.shape)

# %%
figures.first_images(images.X_train[:50, ..., 0], [str(label) for label in images.y_train[:50]], images.source)

# %% [markdown]
# **A question before you go on.** An image is 28x28 numbers. Between which two values do they lie, and which of the two
# is the paper? Look at one:

# %%
print("label", images.y_train[7])
print(figures.pixel_table(images.X_train[7, ..., 0]))

# %% [markdown]
# Networks learn best from small numbers. The pixels go from 0 to 255, so divide by 255. Forgetting this is a common
# slip: the training still works, but worse, and a model that was trained on 0 to 255 is useless for pixels of 0 to 1.
# So is one for 0 to 1 with pixels of 0 to 255, as some courses feed it: whatever it says, it seems certain.

# %%
X_train = images.X_train / np.float32(255)
X_test = images.X_test / np.float32(255)
y_train, y_test = images.y_train, images.y_test
print("from", X_train.min(), "to", X_train.max())

# %% [markdown]
# ## A dense network
#
# `Flatten` lays the 28 rows one after the other: 784 numbers. 128 units look at all of them; ten outputs, one for each
# digit, are made into probabilities by softmax.

# %%
dense = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        keras.layers.Flatten(),
        keras.layers.Dense(128, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
dense.summary()

# %% [markdown]
# ### Your turn 1: count the weights
#
# A network takes 784 pixels, has one hidden layer of 50 units, and 10 outputs. How many weights does it have, the
# biases counted too? Give a whole number, or let Python compute it.

# %%
weights = ...

# %%
check("mnist.1", weights)

# %% [markdown]
# `hint("mnist.1")` gives a hint, and `solution("mnist.1")` the solution. Try yourself first.
#
# ### Training
#
# `compile` says how to train: Adam, a gradient descent with a step of its own for each weight, makes the cross-entropy
# small; accuracy is shown. The labels are class numbers (5, 0, 4, ...), so the loss is the *sparse* one.

# %%
dense.compile(
    optimizer=keras.optimizers.Adam(learning_rate=0.001),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
dense_history = dense.fit(X_train, y_train, batch_size=64, epochs=EPOCHS, validation_split=0.1)

# %% [markdown]
# Each line has two accuracies: on the images that the network learns from, and (`val_accuracy`) on a tenth of them that
# was set aside. In the first epochs the second may be higher, because the first is an average over the whole epoch, in
# which the network was still getting better. Later the first runs ahead.
#
# **A question.** Which of the two would you report?

# %%
loss, accuracy = dense.evaluate(X_test, y_test, verbose=0)
print(f"{accuracy:.2%} of {len(X_test):,} test images classified correctly")

# %% [markdown]
# ### Your turn 2: accuracy by hand
#
# `probabilities` has a row for each image and a column for each class; `labels` has the true class of each image.
# Return the accuracy: the share of images whose most probable class is the true one.


# %%
def accuracy(probabilities, labels):
    """Returns the accuracy, 0 to 1, of probabilities (images, classes) for labels (images,)."""
    ...


# %%
check("mnist.2", accuracy)

# %%
probabilities = dense.predict(X_test, verbose=0)
print("yours:", accuracy(probabilities, y_test))

# %% [markdown]
# ### Your turn 3: cross-entropy by hand
#
# Return the mean cross-entropy: for each image the negative natural logarithm of the probability that was predicted for
# its true class, averaged over the images.


# %%
def cross_entropy(probabilities, labels):
    """Returns the mean cross-entropy of probabilities (images, classes) for labels (images,)."""
    ...


# %%
check("mnist.3", cross_entropy)

# %% [markdown]
# ## A convolutional network
#
# A dense network does not know that two pixels are neighbours. A convolution slides small filters, 3x3, over the image,
# so that a stroke is the same stroke wherever it lies.

# %%
cnn = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        keras.layers.Conv2D(32, 3, activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(32, 3, activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Flatten(),
        keras.layers.Dense(128, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
cnn.summary()

# %%
cnn.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
cnn_history = cnn.fit(X_train, y_train, batch_size=64, epochs=EPOCHS, validation_split=0.1)

# %%
loss, cnn_accuracy = cnn.evaluate(X_test, y_test, verbose=0)
print(f"{cnn_accuracy:.2%} of {len(X_test):,} test images classified correctly")

# %%
epochs = range(1, EPOCHS + 1)
curves = {
    "dense": (epochs, dense_history.history["loss"]),
    "cnn": (epochs, cnn_history.history["loss"]),
}
figures.losses(curves, title="Training loss on the digits")

# %% [markdown]
# ### Where it is wrong
#
# Each row of the confusion matrix is a true digit, each column a predicted one. **Which two digits does the network
# confuse most often, and would you have known better?**

# %%
probabilities = cnn.predict(X_test, verbose=0)
plots = dict(figures.evaluation("cnn", images.X_test, y_test, probabilities, images.classes))
plots["confusion"]

# %%
plots["mistakes"]

# %% [markdown]
# One image, and the ten probabilities that the network gives it:

# %%
i = 8
title = f"Test image {i}: predicted {probabilities[i].argmax()}, label {y_test[i]}"
figures.prediction(images.X_test[i, ..., 0], probabilities[i], images.classes, title)

# %% [markdown]
# ### Your turn 4: a CNN of 9,098 weights
#
# Build a course's CNN: an image of 28x28x1, a convolution of 8 filters of 3x3 that keeps the image's size, 2x2 max
# pooling, a convolution of 16 such filters, pooling again, and one dense layer of ten probabilities. Both convolutions
# use relu. `cnn_9098.summary()` must end at 9,098 weights.

# %%
cnn_9098 = ...

# %%
check("mnist.4", cnn_9098)

# %% [markdown]
# ## Keep the model
#
# One file holds the layers and their weights. Keras says that `.h5` is its older format; every version of Keras reads
# it, and so do the programs of this workshop: `python -m apps.digit --model digits.h5 YOUR-PICTURE.png`.

# %%
cnn.save("digits.h5")
notebook.download("digits.h5")

# %%
again = keras.models.load_model("digits.h5")
print("the same predictions:", np.allclose(again.predict(X_test[:100], verbose=0), probabilities[:100], atol=1e-5))

# %% [markdown]
# ## What to try next
#
# - Train longer: `EPOCHS = 10`. Does the test accuracy follow the training accuracy?
# - `activation="sigmoid"` and `optimizer="sgd"` in the dense network: what courses of ten years ago did.
# - The next notebooks: Fashion-MNIST, and an experiment for every one of these choices.
