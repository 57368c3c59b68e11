"""Neural networks from first principles, in NumPy alone.

`layers` has each layer's forward pass beside its own backward pass, `losses` what a network is blamed for,
`optimizers` what it does about it, `network` puts them together, and `h5` reads and writes the files that Keras saves.
"""
