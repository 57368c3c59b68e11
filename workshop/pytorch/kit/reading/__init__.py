"""From PyTorch's modules to the description of a model that the `.h5` is written from; `network` is the entrance."""
