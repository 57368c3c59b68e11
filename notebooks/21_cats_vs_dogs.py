# %% [markdown]
# # Cats and dogs: your photographs, and a network that tells them apart
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/21_cats_vs_dogs.ipynb)
#
# Photographs in folders, a folder for each class, are all that Keras needs. You train the workshop's network of ten
# million weights, see it learn a few hundred photographs by heart, and then a network forty times smaller that does
# better on new ones. Any classes will do: yours come as a `.zip`, a `.tar.xz` or a folder. About 20 minutes.

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
import shutil

import keras
import numpy as np
from tensorflow.keras.preprocessing.image import ImageDataGenerator

from workshop.exercises import check, hint, solution
from workshop.figures import cats_vs_dogs as figures
from workshop.kit.photos.dataset import as_folder, load_photos
from workshop.kit.plots import images as image_plots

# %% [markdown]
# ## The photographs
#
# Keras wants `train/cats/*.jpg`, `train/dogs/*.jpg`, `validation/cats/*.jpg`, `validation/dogs/*.jpg`. The names of
# the folders are the names of the classes. With only a folder for each class, a part of each is held out for
# validation.
#
# Have you photographs of your own? In Colab the next cell opens a dialogue; elsewhere put `photos.zip` (or `.tar.xz`,
# or write the name of a folder) beside this notebook. Without them the notebook takes the workshop's photographs, if
# they are on this computer, or else drawn cats and dogs.

# %% tags=["parameters"] quick="SIZE, LIMIT, WORKSHOP_EPOCHS, EPOCHS = 64, 16, 1, 1"
SIZE = 96  # of the small network's images, in pixels
LIMIT = None  # or the largest number of photos of each class
WORKSHOP_EPOCHS = 12
EPOCHS = 18

# %%
photos = load_photos(notebook.upload("photos.zip"), SIZE, LIMIT)
classes = list(photos.classes)
print(photos.source)
for name, count in zip(classes, np.bincount(photos.y_train), strict=True):
    print(f"{name}: {count} to train on")

# %%
chosen = np.random.default_rng(1).permutation(len(photos.X_train))[:12]
titles = [classes[label] for label in photos.y_train[chosen]]
image_plots.image_grid(photos.X_train[chosen], titles, f"Resized to {SIZE}x{SIZE}")

# %% [markdown]
# **A question before you go on.** The photographs had all sorts of sizes, and now all are squares. What happens to a
# photograph that was twice as wide as high? And is that a problem for this task?
#
# The readable ones of your photographs, as files in the folders that Keras wants:

# %%
shutil.rmtree("sorted-photos", ignore_errors=True)
with as_folder(photos) as folder:
    shutil.copytree(folder, "sorted-photos")
print(*sorted(str(path) for path in Path("sorted-photos").glob("*/*")), sep="\n")

# %% [markdown]
# ## ImageDataGenerator
#
# The workshop's way to read photographs: a generator decodes them batch by batch while the network trains, brings
# them all to 150x150 pixels, and divides by 255. `class_indices` says which class is 0 and which is 1: the alphabet
# decides.

# %%
options = {"target_size": (150, 150), "batch_size": 32, "class_mode": "binary" if len(classes) == 2 else "sparse"}
train_generator = ImageDataGenerator(rescale=1 / 255).flow_from_directory("sorted-photos/train", **options)
validation_generator = ImageDataGenerator(rescale=1 / 255).flow_from_directory("sorted-photos/validation", **options)
print(train_generator.class_indices)

# %%
X, y = train_generator[0]
print("one batch:", X.shape, "from", X.min(), "to", X.max(), "labels", y[:8])

# %% [markdown]
# ### Your turn 1: steps of an epoch
#
# Return how many steps an epoch has: `photos` photographs are taken in batches of `batch_size`, each is seen once,
# and the last batch may be smaller. The result is a whole number.


# %%
def steps(photos, batch_size):
    """Returns the number of batches that `photos` photographs make; both are whole numbers."""
    ...


# %%
check("cats_vs_dogs.1", steps)

# %% [markdown]
# The workshop types `batch_size=125` and `steps_per_epoch=8`, which fits 1,000 photographs. Of 280 the generator
# makes 3 such batches; Keras then says that the *input ran out of data*. Leave `steps_per_epoch` out, and an epoch is
# as long as the data.
#
# ## The workshop's network
#
# Three convolutions, each with pooling, find features; three dense layers of 512 units decide. **Which layer has most
# of the weights? Guess before you run the cell.**

# %%
big = keras.Sequential([keras.Input((150, 150, 3))])
for filters in (16, 32, 64):
    big.add(keras.layers.Conv2D(filters, 3, activation="relu"))
    big.add(keras.layers.MaxPooling2D())
big.add(keras.layers.Flatten())
for _ in range(3):
    big.add(keras.layers.Dense(512, activation="relu"))
big.add(
    keras.layers.Dense(1, activation="sigmoid") if len(classes) == 2 else keras.layers.Dense(len(classes), "softmax")
)
big.summary()

# %% [markdown]
# ### Your turn 2: what Flatten hands on
#
# An image of 150x150 pixels in colour goes through a convolution of 16 filters of 3x3 without padding, 2x2 max
# pooling, 32 filters of 3x3, pooling, 64 filters of 3x3, pooling. Pooling drops what is left over. How many numbers
# does `Flatten` then hand on to the dense layer?

# %%
flattened = ...

# %%
check("cats_vs_dogs.2", flattened)

# %% [markdown]
# ### Your turn 3: which output, which loss
#
# `head(classes)` is to return three things for a classifier of so many classes, whose labels are whole numbers (0, 1,
# 2, ...): the number of output units, the name of their activation, and Keras' name of the loss. For two classes take
# **one** unit, the probability of the second class; else a unit for each class.


# %%
def head(classes):
    """Returns (units, activation, loss): a whole number and two names of Keras, in quotes."""
    ...


# %%
check("cats_vs_dogs.3", head)

# %%
loss = "binary_crossentropy" if len(classes) == 2 else "sparse_categorical_crossentropy"
big.compile(optimizer=keras.optimizers.Adam(learning_rate=0.001), loss=loss, metrics=["accuracy"])
big_history = big.fit(train_generator, validation_data=validation_generator, epochs=WORKSHOP_EPOCHS)

# %% [markdown]
# **A question.** Compare `accuracy` and `val_accuracy` in the last line. What would another 18 epochs do to the one,
# and what to the other? (The workshop trains for 30.)
#
# Ten million weights and 280 photographs: the network can learn each photograph by heart. That is *overfitting*, and
# three things help against it: more photographs, fewer weights, and photographs that look a little different each
# time.
#
# ## Augmentation
#
# A cat that is mirrored, turned a little or a little nearer is still a cat. So change each photograph at random
# whenever it is seen. Keras has layers for that; they change nothing when the network predicts. (`ImageDataGenerator`
# can do it too: `rotation_range=15, zoom_range=0.2, horizontal_flip=True`.)

# %%
augment = keras.Sequential(
    [
        keras.layers.RandomFlip("horizontal"),
        keras.layers.RandomRotation(0.04),  # of a full turn: 14 degrees
        keras.layers.RandomZoom(0.2),
        keras.layers.RandomTranslation(0.08, 0.08),
        keras.layers.RandomContrast(0.25, value_range=(0, 1)),
    ]
)
photo = photos.X_train[chosen[0]] / np.float32(255)
changed = augment(np.repeat(photo[None], 6, axis=0), training=True)
changed = np.clip(keras.ops.convert_to_numpy(changed), 0, 1)
image_plots.image_grid(changed, [""] * 6, "One photograph, as the network sees it six times")

# %% [markdown]
# **A question.** Which of these changes would you leave out if the classes were the digits 6 and 9? Or arrows to the
# left and to the right?
#
# `image_dataset_from_directory` is Keras' newer way to read a folder, here at 96x96 pixels, which takes less than
# half of the time. It gives a `tf.data` data set: decoded once and kept (`cache`), shuffled, changed on the way
# (`map`), prepared while the network is still busy with the last batch (`prefetch`).

# %%
options = {"image_size": (SIZE, SIZE), "label_mode": "binary" if len(classes) == 2 else "int", "batch_size": None}
train = keras.utils.image_dataset_from_directory("sorted-photos/train", **options)
validation = keras.utils.image_dataset_from_directory("sorted-photos/validation", shuffle=False, **options)

# %%
train = train.map(lambda X, y: (X / 255, y)).cache().shuffle(1000).batch(16)
train = train.map(lambda X, y: (augment(X, training=True), y), num_parallel_calls=2).prefetch(2)
validation = validation.map(lambda X, y: (X / 255, y)).batch(32).cache()

# %% [markdown]
# ## A small network
#
# Convolutions with *batch normalisation*, which keeps their outputs in a good range; and instead of `Flatten` the
# mean of each channel over the image (*global average pooling*): whether there is an ear counts, not where.


# %%
def convolution(filters, size, strides=1, pooling=2):
    """Returns a convolution, pooling, batch normalisation (which has a bias of its own), and relu."""
    return [
        keras.layers.Conv2D(filters, size, strides=strides, padding="same", use_bias=False),
        keras.layers.MaxPooling2D(pooling),
        keras.layers.BatchNormalization(momentum=0.9),
        keras.layers.Activation("relu"),
    ]


# %%
model = keras.Sequential(
    [
        keras.Input((SIZE, SIZE, 3)),
        *convolution(16, 5, strides=2),
        *convolution(32, 3),
        *convolution(64, 3),
        *convolution(96, 3),
        *convolution(176, 3, pooling=1),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dropout(0.2),
        keras.layers.Dense(1, "sigmoid") if len(classes) == 2 else keras.layers.Dense(len(classes), "softmax"),
    ]
)
print(f"{model.count_params():,} weights, and the workshop's network {big.count_params():,}")

# %% [markdown]
# The learning rate rises from 0.0003 to 0.003 in the first steps, and falls to 0 along a cosine until the last one:
# such a schedule gets most out of few epochs.

# %%
all_steps = EPOCHS * len(train)
rate = keras.optimizers.schedules.CosineDecay(
    0.0003, decay_steps=all_steps * 8 // 10, warmup_target=0.003, warmup_steps=all_steps * 2 // 10
)
model.compile(optimizer=keras.optimizers.AdamW(rate), loss=loss, metrics=["accuracy"])
history = model.fit(train, shuffle=False, validation_data=validation, epochs=EPOCHS)  # `train` shuffles by itself

# %%
_, accuracy = model.evaluate(validation, verbose=0)
_, big_accuracy = big.evaluate(validation_generator, verbose=0)
print(f"accuracy on {len(photos.X_validation)} new photos: small network {accuracy:.1%}, workshop's {big_accuracy:.1%}")

# %% [markdown]
# On the workshop's 280 photographs expect at least 85 % from the small network, and less from the large one. A
# flipped coin has 50 %.

# %%
figures.accuracies({"workshop": big_history.history, "small": history.history})

# %% [markdown]
# ## What it predicts
#
# One number for each photograph, the probability of the second class, or with three classes or more a row of
# probabilities.

# %%
X_validation = photos.X_validation / np.float32(255)
outputs = model.predict(X_validation, verbose=0)
print(outputs[:3])

# %% [markdown]
# ### Your turn 4: the name of the class
#
# `outputs` is what `model.predict` returned: a row for each photo, with **one** number, the probability of the second
# class, or with a probability for each class. `classes` is the list of their names. Return a list with the name of
# each photo's most probable class.


# %%
def names(outputs, classes):
    """Returns a list of names, one for each row of outputs: (photos, 1) or (photos, number of classes)."""
    ...


# %%
check("cats_vs_dogs.4", names)

# %% [markdown]
# The most confident mistakes. **What may have misled the network?**

# %%
probabilities = np.hstack([1 - outputs, outputs]) if len(classes) == 2 else outputs
plots = dict(figures.evaluation("small", photos.X_validation, photos.y_validation, probabilities, classes))
plots.get("mistakes", "No mistake.")

# %% [markdown]
# ## Keep the model, and show it your pet
#
# The file holds layers and weights, but not the names of the classes and not the division by 255: whoever uses it has
# to know both. The workshop's program takes 0 for cats and 1 for dogs, and pixels from 0 to 1: `python -m
# apps.cat_or_dog --model cats.h5 YOUR-PHOTO.jpg`.

# %%
model.save("cats.h5")
notebook.download("cats.h5")

# %%
again = keras.models.load_model("cats.h5")
print("the same predictions:", np.allclose(again.predict(X_validation, verbose=0), outputs, atol=1e-5))

# %%
path = notebook.upload("my-pet.jpg") or sorted(Path("sorted-photos/validation").glob("*/*"))[-1]
image = keras.utils.load_img(path, target_size=(SIZE, SIZE))
pet = keras.utils.img_to_array(image)[None] / 255
print(path, again.predict(pet, verbose=0)[0])
image

# %% [markdown]
# ## What to try next
#
# - Train the large network for 30 epochs, as the workshop does, and draw its two curves.
# - Leave out the augmentation: in `train`, remove the line with `augment`.
# - `python -m workshop.cats_vs_dogs --preset workshop` is the workshop's whole recipe; `--data` takes your
#   photographs.
# - The next notebook does better with ten photographs a class: it begins with a network that has seen others.
