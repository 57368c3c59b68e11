# %% [markdown]
# # Garments, the harder digits
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/15_fashion_mnist.ipynb)
#
# 70,000 images of shirts, coats, shoes and bags in the form of the digits: 28x28 grey pixels, ten classes. You train
# the two kinds of networks that you know, see which garments they mistake for one another, and try an image of your
# own. About 15 minutes, two of them training.

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
from workshop.figures import fashion_mnist as figures
from workshop.figures.mnist import first_images, prediction
from workshop.kit import plots
from workshop.kit.data.images import load_image_set

# %% [markdown]
# ## The data
#
# Fashion-MNIST has the form of MNIST on purpose: a program that reads digits runs on it without a change. What changes
# is how difficult it is.

# %% tags=["parameters"] quick="TRAIN_IMAGES, TEST_IMAGES, DENSE_EPOCHS, CNN_EPOCHS = 1000, 500, 2, 1"
TRAIN_IMAGES = 60_000
TEST_IMAGES = 10_000
DENSE_EPOCHS = 5
CNN_EPOCHS = 4

# %%
images = load_image_set("fashion_mnist").first(TRAIN_IMAGES, TEST_IMAGES)
classes = list(images.classes)
print(images.source)
for number, name in enumerate(classes):
    print(number, name, int((images.y_train == number).sum()), "training images")

# %%
first_images(images.X_train[:50, ..., 0], [classes[label] for label in images.y_train[:50]], images.source)

# %% [markdown]
# **A question before you go on.** Which two classes would you mistake for one another yourself? Remember your answer;
# at the end you compare it with the network's.

# %%
X_train = images.X_train / np.float32(255)
X_test = images.X_test / np.float32(255)
y_train, y_test = images.y_train, images.y_test

# %% [markdown]
# ## A dense network
#
# The digits' network, layer for layer. On digits it reaches 97.5 % and more. **What do you expect here?**

# %%
dense = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        keras.layers.Flatten(),
        keras.layers.Dense(128, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
dense.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
dense_history = dense.fit(X_train, y_train, batch_size=64, epochs=DENSE_EPOCHS)

# %%
_, dense_accuracy = dense.evaluate(X_test, y_test, verbose=0)
print(f"dense: {dense_accuracy:.2%} of {len(X_test):,} test images classified correctly")

# %% [markdown]
# About 87 % with a constant learning rate. The last points cost more than the first: near the bottom of the valley the
# steps of Adam are too large, and the weights wander about.
#
# ### A learning rate that falls
#
# The rate rises from nearly zero to 0.003 in the first tenth of the steps and then falls along a cosine to zero. Keras
# has this as a *schedule*; AdamW is Adam with weight decay. The rest stays. (`steps_per_execution` does 32 steps in one
# call of TensorFlow: the same steps, fewer seconds.)


# %%
def schedule(highest, epochs):
    """Returns a schedule over the steps of so many epochs with batches of 64: up to `highest`, then down to 0."""
    steps = epochs * (len(X_train) // 64 + 1)
    warmup = steps // 10
    return keras.optimizers.schedules.CosineDecay(
        highest / 25, steps - warmup, warmup_target=highest, warmup_steps=warmup
    )


# %%
rates = schedule(0.003, DENSE_EPOCHS)
steps = range(DENSE_EPOCHS * (len(X_train) // 64 + 1))
some = steps[:: len(steps) // 50 + 1]
figure, axes = plots.subplots(width=7, height=3)
axes.plot(some, [float(rates(step)) for step in some], color=plots.BLUE, linewidth=2.2)
axes.set(xlabel="step", ylabel="learning rate", title="Warm-up, then a cosine")
figure

# %%
keras.utils.set_random_seed(1)
dense = keras.models.clone_model(dense)  # the same layers with new random weights
dense.compile(
    optimizer=keras.optimizers.AdamW(schedule(0.003, DENSE_EPOCHS)),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
    steps_per_execution=min(32, len(X_train) // 64),
)
dense_history = dense.fit(X_train, y_train, batch_size=64, epochs=DENSE_EPOCHS)

# %%
_, accuracy = dense.evaluate(X_test, y_test, verbose=0)
print(f"accuracy on {len(X_test):,} test images: constant rate {dense_accuracy:.2%}, schedule {accuracy:.2%}")

# %% [markdown]
# At least 88 % with the schedule, in as many epochs.
#
# ### One image

# %% [markdown]
# ### Your turn 1: from probabilities to a name
#
# `probabilities` is one row of probabilities, one for each class; `classes` is the list of the classes' names in the
# same order. Return the name of the most probable class.


# %%
def predicted_name(probabilities, classes):
    """Returns the name of the most probable class, for probabilities (classes,) and a list of names."""
    ...


# %%
check("fashion_mnist.1", predicted_name)

# %%
probabilities = dense.predict(X_test, verbose=0)
print("yours:", predicted_name(probabilities[0], classes), "- label:", classes[y_test[0]])
prediction(images.X_test[0, ..., 0], probabilities[0], classes, f"Test image 0: a {classes[y_test[0]]}")

# %% [markdown]
# ## A convolutional network
#
# Three convolutions, one more than the digits needed. Garments fill the whole image, so the first two are padded: the
# hem at the border counts as well.

# %% [markdown]
# ### Your turn 2: how many numbers the convolutions leave
#
# A CNN takes images of 28x28x1. Its layers: 16 filters of 3x3 with `padding="same"`, 2x2 max pooling, 32 filters of 3x3
# with `padding="same"`, 2x2 max pooling, 64 filters of 3x3 without padding, `Flatten`. How many numbers come out of
# `Flatten` for one image?

# %%
numbers = ...

# %%
check("fashion_mnist.2", numbers)

# %%
keras.utils.set_random_seed(1)
cnn = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        keras.layers.Conv2D(16, 3, padding="same", activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(32, 3, padding="same", activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(64, 3, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(96, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
cnn.summary()

# %% [markdown]
# Training takes about a minute on two CPU cores.

# %%
cnn.compile(
    optimizer=keras.optimizers.AdamW(schedule(0.004, CNN_EPOCHS), beta_2=0.99),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
    steps_per_execution=min(32, len(X_train) // 64),
)
cnn_history = cnn.fit(X_train, y_train, batch_size=64, epochs=CNN_EPOCHS)

# %%
_, cnn_accuracy = cnn.evaluate(X_test, y_test, verbose=0)
print(f"cnn: {cnn_accuracy:.2%} of {len(X_test):,} test images classified correctly")

# %% [markdown]
# At least 91.5 %, where the digits' CNN reaches 99 %.

# %%
curves = {
    "dense": (range(1, DENSE_EPOCHS + 1), dense_history.history["loss"]),
    "cnn": (range(1, CNN_EPOCHS + 1), cnn_history.history["loss"]),
}
figures.losses(curves, title="Training loss on the garments")

# %% [markdown]
# ## Where it is wrong
#
# Rows are the true classes, columns the predicted ones. **Compare with your answer from the beginning.**

# %%
probabilities = cnn.predict(X_test, verbose=0)
evaluation = dict(figures.evaluation("cnn", images.X_test, y_test, probabilities, classes))
evaluation["confusion"]

# %% [markdown]
# ### Your turn 3: how many of each class are found
#
# `matrix` is a confusion matrix: row i, column j counts the images of class i that were predicted as class j. Return
# the recall of each class: of the images of this class, the share that was predicted as it.


# %%
def recalls(matrix):
    """Returns the recall of each class (classes,), 0 to 1, from a confusion matrix (classes, classes)."""
    ...


# %%
check("fashion_mnist.3", recalls)

# %%
matrix = np.zeros((10, 10), int)
np.add.at(matrix, (y_test, probabilities.argmax(axis=1)), 1)
print("yours:", recalls(matrix))

# %%
share = matrix.diagonal() / matrix.sum(axis=1)
order = share.argsort()
figure, axes = plots.subplots(width=8, height=4)
axes.barh([classes[i] for i in order], share[order], color=plots.BLUE)
axes.set(xlabel="recall: share of the class that is found", title="Which garments are hard", axisbelow=True)
figure

# %% [markdown]
# The most confident mistakes. **Which of them is the network's fault, and which is the label's?**

# %%
evaluation["mistakes"]

# %% [markdown]
# ## An image of your own
#
# A photograph of a garment has dark cloth on light ground, and in the training images the background is 0.

# %% [markdown]
# ### Your turn 4: an image of your own
#
# `image` is a photograph of a garment on white paper, 28x28 bytes: 0 is black, 255 white. The network was trained on
# images with a background of 0 and garments up to 1, in batches of the shape (images, 28, 28, 1). Return it as
# a batch of one image as the network knows it.


# %%
def prepare(image):
    """Returns a batch (1, 28, 28, 1), background 0, of an image (28, 28): bytes, 255 is white paper."""
    ...


# %%
check("fashion_mnist.4", prepare)

# %% [markdown]
# Now take a photo: one garment, from above, on an even light background. In Colab a dialogue asks for the file;
# elsewhere put it beside the notebook as `my-garment.png`. Without one, a test image is taken, turned to white paper.

# %%
from PIL import Image, ImageOps

path = notebook.upload("my-garment.png")
image = ImageOps.invert(Image.fromarray(images.X_test[0, ..., 0])) if path is None else Image.open(path)
image = ImageOps.pad(ImageOps.exif_transpose(image).convert("L"), (28, 28), color=255)
image = np.array(ImageOps.autocontrast(image, cutoff=1))

# %%
batch = (1 - image / np.float32(255)).reshape(1, 28, 28, 1)
row = cnn.predict(batch, verbose=0)[0]
prediction((255 * batch[0, ..., 0]).astype("uint8"), row, classes, f"Your image: {classes[row.argmax()]}")

# %% [markdown]
# The left image is what the network gets. Where it does not look like the training images, the prediction is worth
# nothing, however sure it seems: ten probabilities always add up to 1.
#
# ## Keep the model

# %%
cnn.save("garments.h5")
notebook.download("garments.h5")

# %%
again = keras.models.load_model("garments.h5")
print("the same predictions:", np.allclose(again.predict(X_test[:100], verbose=0), probabilities[:100], atol=1e-5))

# %% [markdown]
# `python -m apps.garment --model garments.h5 YOUR-PICTURE.png` names the garment in a photo. It prepares the photo
# with more care than you did: it finds the garment, trims it and centres it.
#
# ## What to try next
#
# - `CNN_EPOCHS = 6`. Does the test accuracy follow the training accuracy?
# - `keras.layers.Dropout(0.3)` behind `Flatten`, with more epochs.
# - One change at a time in `dense`: 512 units, a second hidden layer, sigmoid. The next notebook does it with digits.
# - Look at your own image with `dense` in place of `cnn`. Move the garment to the side: which of the two notices?
