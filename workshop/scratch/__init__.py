"""Neural networks from first principles, in NumPy alone.

`layers` and `convolution` have each layer's forward pass beside its own backward pass, `losses` what a network is
blamed for, `optimizers` what it does about it, and `network` puts them together and reads and writes Keras' files.
"""
