# %% [markdown]
# # Convolution and pooling, without a framework
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/workshop/blob/main/notebooks/20_convolution.ipynb)
#
# A small table of numbers, the kernel, slides over an image. That blurs, sharpens and finds edges, and it is all that
# a convolutional layer does. You write it with two loops in NumPy, then fast, then pooling, on a photograph: the
# sample that comes with scikit-learn, or one of your own. Keras appears in the last cells only, to compute the same.
# About 20 minutes; nothing is trained.

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
import time

import numpy as np
from sklearn.datasets import load_sample_image

from workshop.exercises import check, hint, solution
from workshop.figures import convolution as figures
from workshop.kit import plots
from workshop.kit.photos import image_file

# %% [markdown]
# ## An image is a table of numbers
#
# A grey image is a table: a number for each pixel, here 0 for black to 1 for white. A photograph has three such
# tables, for red, green and blue; the eye's brightness is a weighted sum of the three.
#
# For a photograph of your own, run the next cell and choose a file (in Colab), or put `my-photo.jpg` beside this
# notebook.

# %%
path = notebook.upload("my-photo.jpg")
if path is None:
    colour = load_sample_image("china.jpg")
    print("colour", colour.shape, colour.dtype)
    photo = colour @ [0.299, 0.587, 0.114] / 255
else:
    photo = image_file.read_grey(path)
print("grey", photo.shape, "from", photo.min().round(2), "to", photo.max().round(2))


# %%
def show(images, rows=1, largest=1.0, smallest=0.0):
    """Draws images (height, width) side by side; `images` is a dict of them by their titles."""
    columns = -(-len(images) // rows)
    figure, axes = plots.subplots(rows, columns, width=4, height=3.4)
    for panel in np.ravel(axes):
        panel.axis("off")
    for panel, (title, image) in zip(np.ravel(axes), images.items(), strict=False):
        panel.imshow(image, cmap="gray", vmin=smallest, vmax=largest)
        panel.set_title(f"{title}, {image.shape[0]}x{image.shape[1]}", fontsize=12)
    return figure


show({"photo": photo})

# %% [markdown]
# Ten rows and ten columns of it, from the middle. Can you see in the numbers what the image shows?

# %%
middle, centre = photo.shape[0] // 2, photo.shape[1] // 2
patch = photo[middle - 5 : middle + 5, centre - 5 : centre + 5]
print(patch.round(2))
show({"ten pixels a side": patch})

# %% [markdown]
# ### Your turn 1: the numbers of an image
#
# An image has 10x10 pixels. How many numbers does the computer store for it if it is grey, and how many if it is in
# colour (red, green and blue)? Give a list of the two: `[grey, colour]`.

# %%
numbers = ...

# %%
check("convolution.1", numbers)

# %% [markdown]
# ## One window
#
# A kernel of 3x3 lies on nine pixels. Each pixel is multiplied by the number of the kernel that lies on it, and the
# nine products are added up: one number of the output. Take a pencil. **What are the four numbers of the output
# below?** The kernel has four places on this image.

# %%
image = np.array([[1, 2, 0, 1], [3, 1, 1, 0], [0, 2, 4, 1], [1, 0, 2, 3]])
kernel = np.array([[1, 2, 0], [0, 1, 0], [0, 0, -1]])
print(image)
print(kernel)

# %%
window = image[0:3, 0:3]
print("products\n", window * kernel)
print("top left:", np.sum(window * kernel))

# %% [markdown]
# ## Two loops
#
# The rest is to visit every place. That is the whole definition: `i` and `j` say where the kernel's upper left corner
# lies.


# %%
def correlate(image, kernel):
    """Returns the output of a kernel (f, g) that slides over an image (height, width) and stays wholly on it."""
    f, g = kernel.shape
    height, width = image.shape
    output = np.zeros((height - f + 1, width - g + 1))
    for i in range(output.shape[0]):
        for j in range(output.shape[1]):
            output[i, j] = np.sum(image[i : i + f, j : j + g] * kernel)
    return output


print(correlate(image, kernel))

# %% [markdown]
# **A question before you go on.** This kernel has 25 times the number 1/25. What does it do to a photograph, and why
# 1/25 and not 1?

# %%
blur = np.ones((5, 5)) / 25
start = time.perf_counter()
blurred = correlate(photo, blur)
seconds = time.perf_counter() - start
print(f"{seconds:.1f} s for {blurred.size:,} windows")
show({"photo": photo, "mean of 5x5": blurred})

# %% [markdown]
# Each pixel becomes the mean of its neighbours: edges get soft, noise goes away, and because the 25 numbers add up to
# 1, the brightness stays.
#
# A kernel whose numbers add up to **0** does something else: it makes 0 of every area of one colour, and leaves the
# changes.

# %% [markdown]
# ### Your turn 2: A kernel that finds vertical edges
#
# Write a kernel of 3x3 numbers that makes 0 of every plain area, and a number **above 0** where the image turns from
# dark (on the left) to bright (on the right). An edge that runs from left to right, dark above and bright below, is
# to give 0. Several kernels do it.

# %%
edge_kernel = ...

# %%
check("convolution.2", edge_kernel)

# %% [markdown]
# ## The same, fast
#
# Two loops in Python visit hundreds of thousands of windows. Turn the work round: loop over the 9 or 25 numbers of
# the **kernel**, and let NumPy multiply the whole image, moved by some pixels, at once. `image[u : u + height, v : v
# + width]` is such a moved image.


# %%
def correlate_by_slices(image, kernel):
    """The same as `correlate`: a loop over the numbers of the kernel, each times a moved image."""
    height = image.shape[0] - kernel.shape[0] + 1
    width = image.shape[1] - kernel.shape[1] + 1
    output = np.zeros((height, width))
    for u in range(kernel.shape[0]):
        for v in range(kernel.shape[1]):
            output += kernel[u, v] * image[u : u + height, v : v + width]
    return output


start = time.perf_counter()
output = correlate_by_slices(photo, blur)
fast = time.perf_counter() - start
print(f"{fast:.3f} s, {seconds / fast:.0f} times faster; largest difference {np.abs(output - blurred).max():.1e}")

# %% [markdown]
# NumPy can also show all windows without copying a pixel: `sliding_window_view` returns an array of four axes, place
# down, place across, row in the window, column in the window. `einsum` multiplies and adds over the last two. It is
# one line, and the definition can still be read in it.

# %%
from numpy.lib.stride_tricks import sliding_window_view

windows = sliding_window_view(photo, (5, 5))
print("all windows:", windows.shape)
by_windows = np.einsum("ijuv,uv->ij", windows, blur)
print(f"largest difference {np.abs(by_windows - blurred).max():.1e}")

# %% [markdown]
# ## A gallery of kernels
#
# Whole numbers, some with a common divisor. **Look at the numbers first, and say what each kernel will do** before
# you run the cell after the next one.

# %%
kernels = {
    "identity": np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
    "soft blur": np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]]),
    "Gaussian": np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]),
    "sharpen": np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
    "excessive sharpen": np.array([[1, 1, 1], [1, -7, 1], [1, 1, 1]]),
    "edge": np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]),
    "emboss": np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]),
    "Sobel x": np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
}
divisors = {"soft blur": 5, "Gaussian": 16}

# %%
part = photo[max(0, middle - 60) : middle + 60, max(0, centre - 90) : centre + 90]
flower = (load_sample_image("flower.jpg") @ [0.299, 0.587, 0.114] / 255)[120:240, 260:440]
outputs = {
    name: [correlate_by_slices(grey, numbers / divisors.get(name, 1)) for grey in (part, flower)]
    for name, numbers in kernels.items()
}
figures.kernels({"photo": part, "flower": flower}, kernels, divisors, outputs)

# %% [markdown]
# A kernel whose numbers add up to 1 (after the division) keeps the brightness; one whose numbers add up to 0 shows
# changes, and grey is 0. Sharpening adds to each pixel what makes it differ from its neighbours: identity plus edge.
#
# **A question.** Sobel x finds edges that run up and down. Turn it with `.T`: what does it find then? Both together,
# by Pythagoras, give the strength of every edge.

# %%
sobel_x = kernels["Sobel x"]
gradient_x = correlate_by_slices(photo, sobel_x)
gradient_y = correlate_by_slices(photo, sobel_x.T)
strength = np.sqrt(gradient_x**2 + gradient_y**2)
show({"Sobel x": np.abs(gradient_x), "Sobel y": np.abs(gradient_y), "strength of the edges": strength}, largest=2)

# %% [markdown]
# ## A slip of the name: convolution, correlation
#
# In mathematics a *convolution* flips the kernel first, upside down and left to right. What you wrote, and what Keras
# and PyTorch call a convolution, is a *cross-correlation*: nobody flips. A network does not mind, because it learns
# its kernel, and would learn the flipped one as well. It matters when you copy a kernel from a book.


# %%
def convolve(image, kernel):
    """Returns the convolution of mathematics: the kernel is flipped, both ways."""
    return correlate_by_slices(image, kernel[::-1, ::-1])


print("correlation\n", correlate_by_slices(image, kernel))
print("convolution\n", convolve(image, kernel))

# %% [markdown]
# Why flip at all? Two convolutions one after the other are one convolution by a larger kernel, which can be computed
# beforehand. Without the flip that fails. **For which kernels is there no difference?**

# %%
emboss = kernels["emboss"]
for name, operation in {"convolution": convolve, "correlation": correlate_by_slices}.items():
    both = operation(np.pad(emboss, 2), sobel_x)  # 5x5
    one_by_one = operation(operation(photo, emboss), sobel_x)
    print(f"{name}: largest difference {np.abs(one_by_one - operation(photo, both)).max():.1e}")

# %% [markdown]
# ## The margin
#
# Your output was a little smaller than the photograph: the kernel stays wholly on the image, so its middle never
# reaches the outermost pixels.

# %% [markdown]
# ### Your turn 3: what a 5x5 filter takes off
#
# A filter of 5x5 slides over an image of 28x28 pixels and stays wholly on it. How many pixels of the margin does the
# output lose on **each side**, and how wide is it then? Give a list of the two: `[lost, width]`.

# %%
margin = ...

# %%
check("convolution.3", margin)

# %% [markdown]
# To keep the size, put pixels around the image first: `np.pad`. Which ones? Zeros are usual in networks, and make a
# dark frame. Four ways, on a small piece; the kernel is large so that one sees it. **Look at the margins: which way
# invents the least?**

# %%
piece = part[:40, 50:90]
large = np.ones((9, 9)) / 81
padded = {"valid (no padding)": correlate_by_slices(piece, large)}
for title, mode in {"zeros": "constant", "replicate": "edge", "reflect": "reflect", "circular": "wrap"}.items():
    padded[title] = correlate_by_slices(np.pad(piece, 4, mode), large)
show({"piece": piece, **padded}, rows=2)

# %% [markdown]
# ## Strides
#
# A kernel may move on by two pixels, or by three: the output is smaller, and cheaper. With all windows at hand it is
# a slice, `[::2, ::2]`.

# %%
by_twos = correlate_by_slices(photo, blur)[::2, ::2]
show({"photo": photo, "mean of 5x5, stride 2": by_twos})

# %% [markdown]
# ### Your turn 4: the output's size
#
# Write the formula (n + 2p - f) / s + 1 as a function: how many places has a filter of `f` pixels on a row of `n`
# pixels, with `p` zeros added on each side, if it moves on by `s` pixels each time? The result is a whole number;
# what is left over at the end, less than a step, is dropped.


# %%
def output_size(n, f, p, s):
    """Returns the number of places of a filter: n, f, p and s are whole numbers."""
    ...


# %%
check("convolution.4", output_size)

# %% [markdown]
# Is the formula right? The shapes that NumPy really gives, for an image of 28x28:

# %%
digit_size = np.zeros((28, 28))
for f, p, s in [(3, 0, 1), (5, 0, 1), (5, 2, 1), (3, 1, 2), (5, 0, 3), (2, 0, 2)]:
    output = sliding_window_view(np.pad(digit_size, p), (f, f))[::s, ::s]
    print(f"n = 28, f = {f}, p = {p}, s = {s}: {output.shape[0]}x{output.shape[1]}")

# %% [markdown]
# ## Pooling
#
# Pooling makes images smaller: of each window of 2x2 pixels one number remains, the largest (max pooling) or the
# mean. A feature that was found stays found, though a little less is known of where.

# %% [markdown]
# ### Your turn 5: max pooling by hand
#
# Write 2x2 max pooling: cut the image into windows of 2x2 pixels that lie side by side, and return an array of half
# the height and half the width that has the **largest** number of each window. The height and the width are even.


# %%
def max_pool(image):
    """Returns the largest number of each 2x2 window: (height, width) becomes (height // 2, width // 2)."""
    ...


# %%
check("convolution.5", max_pool)

# %% [markdown]
# Fast, without loops: `reshape` cuts the rows and the columns into pairs, and the maximum is taken over both axes of
# the pairs. **What does each of the four axes mean?**


# %%
def pool(image, size, operation):
    """Returns `operation` (np.max, np.mean) of each window (size, size); rows and columns left over are dropped."""
    height, width = image.shape[0] // size, image.shape[1] // size
    pairs = image[: height * size, : width * size].reshape(height, size, width, size)
    return operation(pairs, axis=(1, 3))


print(pool(image, 2, np.max))
print(pool(image, 2, np.mean))

# %%
pooled = {"edges": strength, "max of 8x8": pool(strength, 8, np.max), "mean of 8x8": pool(strength, 8, np.mean)}
show(pooled, largest=np.quantile(strength, 0.99))

# %% [markdown]
# Windows may overlap, too: 3x3 at a stride of 2, as AlexNet did in 2012. And what pooling is for: when the image
# moves by a pixel, much of the pooled image stays as it is.

# %%
overlapping = sliding_window_view(strength, (3, 3))[::2, ::2].max(axis=(2, 3))
print("3x3, stride 2:", strength.shape, "->", overlapping.shape)
moved = np.roll(strength, 1, axis=1)
for name, before, after in [
    ("pixels", strength, moved),
    ("max of 8x8", pool(strength, 8, np.max), pool(moved, 8, np.max)),
]:
    print(f"{name}: {np.mean(np.abs(before - after) < 1e-9):.0%} the same after a move by one pixel")

# %% [markdown]
# ## Why networks have convolutions
#
# **A question.** From 28x28 pixels to 24x24 numbers: how many weights has a filter of 5x5, and how many has a dense
# layer between the two?

# %%
print(f"filter {5 * 5:,}, dense {28 * 28 * 24 * 24:,}")

# %% [markdown]
# The filter has the same 25 weights at every place, and looks at neighbours only. A dense layer has to learn at each
# place anew what an edge is.
#
# Layers of small filters see far nevertheless. Three layers of 3x3: which pixels change the number in the middle of
# the last output? Change each pixel in turn, and count.

# %%
random = np.random.default_rng(1)
three = [random.uniform(0.1, 1, (3, 3)) for _ in range(3)]
has_effect = np.zeros((15, 15), bool)
for pixel in np.ndindex(15, 15):
    output = np.zeros((15, 15))
    output[pixel] = 1
    for weights in three:
        output = correlate_by_slices(output, weights)
    has_effect[pixel] = output[4, 4] != 0  # the middle of 9x9
print(has_effect.any(axis=1).sum(), "rows,", has_effect.any(axis=0).sum(), "columns")

# %% [markdown]
# ## Several channels
#
# A colour image has three channels. A filter then has three kernels, one for each, and adds the three outputs up; a
# layer of 4 filters has 4 output channels. So the weights of a layer have four axes: kernel rows, kernel columns,
# channels in, channels out.


# %%
def correlate_channels(image, kernels):
    """Returns the output of a layer: image (height, width, in), kernels (f, f, in, out) -> (height, width, out)."""
    outputs = []
    for o in range(kernels.shape[3]):
        channels = [correlate_by_slices(image[:, :, i], kernels[:, :, i, o]) for i in range(kernels.shape[2])]
        outputs.append(np.sum(channels, axis=0))
    return np.stack(outputs, axis=-1)


flower_in_colour = load_sample_image("flower.jpg") / 255
layer_weights = random.normal(size=(3, 3, 3, 4))
by_hand = correlate_channels(flower_in_colour, layer_weights)
print(flower_in_colour.shape, "->", by_hand.shape, "with", layer_weights.size, "weights")

# %% [markdown]
# ## Keras does the same
#
# Now the framework: a layer of 4 filters gets your weights, and predicts what you computed.

# %%
import keras

layer = keras.layers.Conv2D(4, 3, use_bias=False)
layer.build((None, None, None, 3))
layer.set_weights([layer_weights])
by_keras = keras.ops.convert_to_numpy(layer(flower_in_colour[None].astype("float32")))[0]
print("shape", by_keras.shape, "weights", layer.count_params())
print(f"largest difference {np.abs(by_keras - by_hand).max():.1e}")

# %%
by_keras = keras.layers.MaxPooling2D(8)(strength[None, :, :, None].astype("float32"))
by_keras = keras.ops.convert_to_numpy(by_keras)[0, :, :, 0]
print(f"max pooling: largest difference {np.abs(by_keras - pool(strength, 8, np.max)).max():.1e}")

# %% [markdown]
# The difference is rounding: Keras computes with 7 digits, NumPy with 16. What Keras adds is not the operation. It
# finds the numbers of the kernels by itself, by training.
#
# ## What to try next
#
# - Your own photograph, if you took the sample: run all cells again.
# - A kernel of 1x9 with the number 1/9: blurred in one direction only, like a moving camera.
# - Blur with 15x15 at a stride of 1, and compare the seconds of the loops and of the slices.
# - `python -m workshop.convolution` also shows images as sums of waves, dilation, and SciPy and PyTorch at the same
#   sums.
# - The next notebook: cats and dogs, where the kernels are learned.
