"""Neural networks from first principles, in NumPy alone. To be read in this order:

`activations`, `layers`, `reshaping` and `regularization` have the layers of simple networks, each forward pass beside
its backward pass; `losses` the loss functions; `sgd` and `adaptive` the optimizers, which `optimizers` makes by name.
`sequential` puts them together and trains; `network` reads and writes Keras' files; `state` keeps the state of a
lesson's training, `device` readies the machine. For images there are `convolution`, `depthwise`, `transposed`,
`pooling` and `gradcam`, for sequences `embedding`, `recurrent`, `cells`, `wrappers` and `one_row`. `rectifiers` and
`normalization` have what no lesson needs, but models that people publish.
"""
