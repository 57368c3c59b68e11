# %% [markdown]
# # Two networks against each other: a GAN draws digits
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/31_gan.ipynb)
#
# One network draws digits and never sees one; the other sees drawn and real ones and tells them apart. Trained against
# each other they end with digits that nobody wrote. You build both, type the `train_step` that `model.fit` then uses,
# watch the same noise become digits, measure how good and how varied they are, and make the pair collapse. About 30
# minutes; the training itself takes one.

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
from IPython.display import Image

from workshop.exercises import check, hint, solution
from workshop.figures import gan as figures
from workshop.kit import files
from workshop.kit.data.images import load_image_set
from workshop.kit.plots import animation

# %% [markdown]
# ## The digits
#
# Pixels from 0 (paper) to 1 (ink), and the labels as rows of ten numbers, 1 at the digit. Where MNIST cannot be had,
# scikit-learn's smaller digits are taken; then, too, digits come out, but rougher ones.

# %% tags=["parameters"] quick="TRAIN_IMAGES, TEST_IMAGES, EPOCHS, COLLAPSE_IMAGES = 640, 500, 2, 640"
TRAIN_IMAGES = 20_000
TEST_IMAGES = 10_000
EPOCHS = 4
COLLAPSE_IMAGES = 9600

# %%
digits = load_image_set("mnist").first(TRAIN_IMAGES, TEST_IMAGES)
print(digits.source)
X = digits.X_train / np.float32(255)
X_test = digits.X_test / np.float32(255)
labels = np.eye(10, dtype=np.float32)[digits.y_train]
figures.sheet(X[:40].reshape(4, 10, 28, 28), "Digits that people wrote")

# %% [markdown]
# ## The generator
#
# It gets 42 numbers, 32 random ones and the label, and makes an image of them. A convolution with strides makes images
# smaller; here they are to become larger, by the *transposed* convolution.

# %% [markdown]
# ### Your turn 1: a generator
#
# Build a generator as `keras.Sequential`: 42 numbers in, `Dense` to 7 * 7 * 32 numbers, relu, `Reshape` to (7, 7, 32),
# then two `Conv2DTranspose` with windows of 4, strides of 2 and padding `same`: 16 filters and relu, then as many
# filters as the image has channels. The pixels are to lie from 0 to 1.

# %%
generator = ...

# %%
check("gan.1", generator)

# %% [markdown]
# The one that we train has batch normalisation behind the first two layers as well: it keeps the numbers within the
# network neither too large nor too small, and without it few GANs learn at all.

# %%
layers = keras.layers
keras.utils.set_random_seed(1)


def build_generator():
    """Returns a network from 32 random numbers and the label to an image."""
    return keras.Sequential(
        [
            keras.Input((42,)),
            layers.Dense(7 * 7 * 32, use_bias=False),  # the normalisation has a bias of its own
            layers.BatchNormalization(momentum=0.9),
            layers.Activation("relu"),
            layers.Reshape((7, 7, 32)),
            layers.Conv2DTranspose(16, 4, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.Activation("relu"),
            layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="sigmoid"),
        ]
    )


painter = build_generator()
painter.summary()

# %% [markdown]
# Before training it draws noise, whatever is asked of it. We keep these forty inputs, and look at what becomes of them.

# %%
requested = np.tile(np.arange(10), 4)
noise = np.random.default_rng(1).standard_normal((40, 32), np.float32)
fixed = np.concatenate([noise, np.eye(10, dtype=np.float32)[requested]], axis=1)
drawn = painter.predict(fixed, verbose=0)
figures.sheet(drawn.reshape(4, 10, 28, 28), "Before training", columns=digits.classes)

# %% [markdown]
# ## The discriminator
#
# A small CNN with ten outputs: output d is the *logit* of the image being a real image of the digit d. Only the output
# of the digit that was asked for counts. So it notices a beautiful 3 where a 7 was asked for.
#
# *Leaky* relu lets a fifth of the numbers below 0 through. The generator learns from nothing but the gradient that
# comes back through this network; where a relu is 0, none would come.


# %%
def build_discriminator():
    """Returns a network from an image to ten logits."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 4, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2D(32, 4, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Flatten(),
            layers.Dense(10),
        ]
    )


build_discriminator().summary()

# %% [markdown]
# ## The game
#
# Both losses are cross-entropies of the discriminator's output. What they compare it with makes the two adversaries.

# %% [markdown]
# ### Your turn 2: three targets
#
# In a step of training the discriminator gets real images and drawn ones; then the generator gets its step. Which three
# targets do the losses compare the discriminator's outputs with? Give a list of three numbers, each 0 or 1: of real
# images and of drawn ones in the discriminator's step, and of drawn ones in the generator's.

# %%
targets = ...

# %%
check("gan.2", targets)

# %% [markdown]
# ## A `train_step` of one's own
#
# `model.fit` calls `train_step` for each batch. A class of your own, made from `keras.Model`, may do there whatever it
# likes; epochs, progress, callbacks stay `fit`'s. Within a `GradientTape` TensorFlow notes what is computed, and
# `tape.gradient` then goes back through it, for the weights of **one** of the networks: the other one stays as it is.
#
# The generator's weights go to and fro with the discriminator's. Their moving average draws better digits, so a third
# network keeps it.


# %%
class GAN(keras.Model):
    """A generator against a discriminator."""

    def __init__(self, generator, discriminator):
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.averaged = keras.models.clone_model(generator)
        self.averaged.set_weights(generator.get_weights())
        self.random = keras.random.SeedGenerator(1)
        self.generator_metric = keras.metrics.Mean("generator_loss")
        self.discriminator_metric = keras.metrics.Mean("discriminator_loss")
        self.built = True

    def compile(self, generator_optimizer, discriminator_optimizer, loss_fn, **options):
        """Takes an optimizer for each network, and the loss that both are made of."""
        super().compile(optimizer=generator_optimizer, **options)
        self.discriminator_optimizer, self.loss_fn = discriminator_optimizer, loss_fn

    def score(self, images, labels):
        """Returns the logits of images being real images of their labels."""
        return keras.ops.sum(self.discriminator(images, training=True) * labels, axis=1, keepdims=True)

    def train_step(self, data):
        """Takes a step with the discriminator, and one with the generator."""
        images, labels = data
        noise = keras.random.normal((keras.ops.shape(images)[0], 32), seed=self.random)
        inputs = keras.ops.concatenate([noise, labels], axis=1)

        with tf.GradientTape() as tape:  # real images are to get 0.9, drawn ones 0
            real = self.score(images, labels)
            drawn = self.score(self.generator(inputs, training=True), labels)
            discriminator_loss = self.loss_fn(0.9 * tf.ones_like(real), real)
            discriminator_loss += self.loss_fn(tf.zeros_like(drawn), drawn)
        weights = self.discriminator.trainable_weights
        self.discriminator_optimizer.apply(tape.gradient(discriminator_loss, weights), weights)

        with tf.GradientTape() as tape:  # the drawn ones are to get 1
            drawn = self.score(self.generator(inputs, training=True), labels)
            generator_loss = self.loss_fn(tf.ones_like(drawn), drawn)
        weights = self.generator.trainable_weights
        self.optimizer.apply(tape.gradient(generator_loss, weights), weights)

        step = keras.ops.cast(self.optimizer.iterations, "float32")
        share = keras.ops.minimum(0.995, step / (step + 10))
        for average, weight in zip(self.averaged.variables, self.generator.variables, strict=True):
            average.assign(share * average + (1 - share) * weight)
        self.generator_metric.update_state(generator_loss)
        self.discriminator_metric.update_state(discriminator_loss)
        return {metric.name: metric.result() for metric in (self.generator_metric, self.discriminator_metric)}


# %% [markdown]
# A callback draws the forty fixed inputs while it trains: at the beginning often, later less so.


# %%
class Film(keras.callbacks.Callback):
    """The images of the same inputs, and both losses, after more and more steps."""

    def __init__(self, inputs):
        super().__init__()
        self.inputs, self.steps, self.frames, self.losses = inputs, [], [], []
        self.done = 0

    def on_train_begin(self, logs=None):
        """Draws before training."""
        self.draw()

    def on_train_batch_end(self, batch, logs=None):
        """Draws where there are a fifth more steps than at the last frame."""
        self.done = int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))
        if self.done >= max(self.steps[-1] + 16, 1.2 * self.steps[-1]):
            self.losses.append([self.done, logs["generator_loss"], logs["discriminator_loss"]])
            self.draw()

    def on_train_end(self, logs=None):
        """Draws the end."""
        if self.steps[-1] < self.done:
            self.draw()

    def draw(self):
        """Adds a frame."""
        self.steps.append(self.done)
        images = self.model.averaged(self.inputs, training=False)
        self.frames.append(keras.ops.convert_to_numpy(images).reshape(4, 10, 28, 28))


# %% [markdown]
# The optimizers are Adam with a short memory (0.5 in place of 0.9): the other network changes what is down at every
# step. The rate stays as it is for 60 % of the steps, then falls to 0 along a cosine: Keras has it rise to a target
# first, and here it rises from 0.001 to 0.001. `steps_per_execution=16` has 16 steps made in one call: it is quicker.

# %%
steps = EPOCHS * -(-len(X) // 32)
warmup = int(0.6 * steps)
rate = keras.optimizers.schedules.CosineDecay(0.001, steps - warmup, warmup_target=0.001, warmup_steps=warmup)
gan = GAN(painter, build_discriminator())
gan.compile(
    keras.optimizers.Adam(rate, beta_1=0.5, beta_2=0.99),
    keras.optimizers.Adam(rate, beta_1=0.5, beta_2=0.99),
    loss_fn=keras.losses.BinaryCrossentropy(from_logits=True),
    steps_per_execution=16,
)
film = Film(fixed)
history = gan.fit(X, labels, batch_size=32, epochs=EPOCHS, callbacks=[film])

# %% [markdown]
# Keras reports the mean of each loss since the beginning of the epoch, hence the jump where an epoch begins.
#
# **A question before you go on.** Can one see from the losses whether the digits are good? (What would they be if the
# generator were perfect, and what if it were poor, and so the discriminator?)

# %%
done, generator_loss, discriminator_loss = np.array(film.losses, dtype=float).T
passed = done / steps * EPOCHS
balance = {"generator": np.log(2), "discriminator": 2 * np.log(2)}  # where the discriminator can only guess
figures.losses({"generator": (passed, generator_loss), "discriminator": (passed, discriminator_loss)}, balance)

# %% [markdown]
# The images say it. The same noise, from the first step to the last:

# %%
figure, frames = figures.film(np.array(film.frames), film.steps, digits.classes, "The same noise, while it trains")
Image(animation.save(figure, frames, Path("film.gif")).read_bytes(), format="gif")

# %% [markdown]
# ## How good, how varied
#
# A classifier that had no part in the game: the CNN of the lesson on MNIST. How often is it more than 0.9
# sure of the digit, and is it the one that was asked for? On MNIST expect nine in ten drawn digits or more, as many as
# of real ones.

# %%
classifier = keras.models.load_model(files.shipped("models") / "mnist_cnn.h5", compile=False)
requested = np.arange(1000) % 10
noise = np.random.default_rng(2).standard_normal((1000, 32), np.float32)
inputs = np.concatenate([noise, np.eye(10, dtype=np.float32)[requested]], axis=1)
drawn = gan.averaged.predict(inputs, verbose=0)

# %%
sets = {"real digits": (X_test, digits.y_test), "generator": (drawn, requested)}
counts = {}
for name, (images, expected) in sets.items():
    p = classifier.predict(images, batch_size=1000, verbose=0)
    predicted = p.argmax(axis=1)
    counts[name] = np.bincount(predicted, minlength=10)
    sure = np.mean(p.max(axis=1) > 0.9)
    print(f"{name}: sure of {sure:.1%}, {np.mean(predicted == expected):.1%} are the requested digit")

# %% [markdown]
# ### Your turn 3: how varied
#
# A classifier names the digit on each drawn image; `counts` says how often it named each of the ten. Return the entropy
# of the digits as a share of the largest possible: minus the sum of p times ln p, divided by ln 10, where p are the
# shares of the digits. A digit that was never named adds nothing.


# %%
def variety(counts):
    """Returns a number from 0 to 1 for the counts of ten digits, a list of whole numbers."""
    ...


# %%
check("gan.3", variety)

# %%
for name, numbers in counts.items():
    print(f"{name}: counts {numbers}, entropy {variety(numbers)}")

# %% [markdown]
# **A question.** A generator that had learned some training images by heart would do well on all of this. How would you
# find out? Below each drawn digit its nearest training image:

# %%
rows, training_rows = drawn[:10].reshape(10, -1), X.reshape(len(X), -1)
squares = (rows**2).sum(axis=1)[:, None] - 2 * rows @ training_rows.T + (training_rows**2).sum(axis=1)
nearest = X[squares.argmin(axis=1)]
pairs = np.stack([drawn[:10], nearest])[..., 0]
figures.sheet(pairs, "The nearest training images", ["drawn", "nearest\ntraining image"])

# %% [markdown]
# ## From one noise vector to another
#
# Between two noise vectors lie others. If the digits change smoothly on the way, the generator knows what lies between.

# %% [markdown]
# ### Your turn 4: from one noise to another
#
# Return `steps` rows of noise on the straight line from `start` to `end`, both included: an array (steps, numbers).
# What the generator makes of them is a walk from one image to another.


# %%
def walk(start, end, steps):
    """Returns an array (steps, n) for two lists of n numbers; the first row is start, the last one end."""
    ...


# %%
check("gan.4", walk)

# %%
paths = []
for digit, (start, end) in enumerate(zip(noise[:5], noise[5:10], strict=True)):
    path = np.linspace(start, end, 10)
    paths.append(np.concatenate([path, np.tile(np.eye(10)[digit], (10, 1))], axis=1))
images = np.array(gan.averaged(np.concatenate(paths)))
figures.sheet(images.reshape(5, 10, 28, 28), "From one noise vector to another", digits.classes[:5])

# %% [markdown]
# The labels can be mixed as well, which no training image ever was: the same noise, from a 3 to an 8.

# %%
mixed = np.linspace(np.eye(10)[3], np.eye(10)[8], 10)
images = np.array(gan.averaged(np.concatenate([np.tile(noise[3], (10, 1)), mixed], axis=1)))
figures.sheet(images.reshape(1, 10, 28, 28), "From a 3 to an 8")

# %% [markdown]
# ## The collapse
#
# The game needs two players of equal strength.

# %% [markdown]
# ### Your turn 5: out of balance
#
# The discriminator becomes so good that it gives every drawn image a probability of being real of nearly 0, whatever
# the generator changes in it. What does the generator learn from then on? `"a"`: fast, as its loss is large. `"b"`:
# little, as the output hardly changes with the image, and tells no direction. `"c"`: to draw the same image for all
# noise vectors. `"d"`: nothing new, as its images are perfect by then.

# %%
choice = ...

# %%
check("gan.5", choice)

# %% [markdown]
# Now the other way round: a generator ten times as fast, a discriminator ten times as slow, and no label, so that the
# digit is the generator's choice (each label is 0.1). **What will it choose?**

# %%
keras.utils.set_random_seed(1)
collapsed = GAN(build_generator(), build_discriminator())
collapsed.compile(
    keras.optimizers.Adam(0.01, beta_1=0.5, beta_2=0.99),
    keras.optimizers.Adam(0.0001, beta_1=0.5, beta_2=0.99),
    loss_fn=keras.losses.BinaryCrossentropy(from_logits=True),
    steps_per_execution=16,
)
few = X[:COLLAPSE_IMAGES]
no_labels = np.full((len(few), 10), 0.1, np.float32)
collapsed_history = collapsed.fit(few, no_labels, batch_size=32)

# %%
inputs = np.concatenate([noise, np.full((1000, 10), 0.1, np.float32)], axis=1)
same = collapsed.averaged.predict(inputs, verbose=0)
predicted = classifier.predict(same, batch_size=1000, verbose=0).argmax(axis=1)
counts["collapsed"] = np.bincount(predicted, minlength=10)
figures.sheet(same[:30].reshape(3, 10, 28, 28), "Thirty noise vectors, nearly one image")

# %% [markdown]
# It found something that the slow discriminator takes for real, and gives nothing else: why should it? No loss asks for
# variety. Were the discriminator faster, it would soon see through the one image.

# %%
figures.classes(counts, digits.classes)

# %% [markdown]
# ## Keep the generator
#
# Only the generator is needed from now on. `python -m apps.draw_digits --model generator.h5 2026` draws with it.

# %%
gan.averaged.save("generator.h5")
notebook.download("generator.h5")
again = keras.models.load_model("generator.h5")
same_images = np.allclose(again.predict(fixed, verbose=0), gan.averaged.predict(fixed, verbose=0), atol=1e-5)
print("the same images:", same_images)

# %%
command = [sys.executable, "-m", "apps.draw_digits", "--model", "generator.h5", "--output", "year.png", "2026"]
print(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
Image("year.png")

# %% [markdown]
# ## What to try next
#
# - Without labels: `labels = np.full((len(X), 10), 0.1, np.float32)`. How many of the digits is the classifier sure of
#   then?
# - Take the batch normalisation of the discriminator away, or write 1 in place of 0.9.
# - The garments: `load_image_set("fashion_mnist")`.
# - `python -m workshop.gan` compares these, and `python -m workshop.pytorch.gan` is the same in PyTorch, both steps in
#   the loop.
