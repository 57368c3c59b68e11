"""From a network as PyTorch is written, a class with a `forward`, to its layers in a row.

`torch.fx` runs `forward` once with a stand-in for the input and writes down each call. What comes of it is an
`nn.Sequential` of the same modules, with the same weights, that takes and gives what Keras takes and gives: images with
their channels last, probabilities instead of logits. The `.h5` is written from that.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import fx, nn

from workshop.kit.saving.layer_specs import UnknownLayerError
from workshop.pytorch.kit.image_layers import GlobalAveragePooling
from workshop.pytorch.kit.layers import ACTIVATIONS
from workshop.pytorch.kit.layout import ChannelsFirst, ChannelsLast, ReshapeAsKeras
from workshop.pytorch.kit.reading.network import KNOWN_MODULES

_ACTIVATIONS: dict[Any, Callable[[], nn.Module]] = {
    torch.relu: nn.ReLU,
    F.relu: nn.ReLU,
    "relu": nn.ReLU,
    torch.sigmoid: nn.Sigmoid,
    F.sigmoid: nn.Sigmoid,
    "sigmoid": nn.Sigmoid,
    torch.tanh: nn.Tanh,
    F.tanh: nn.Tanh,
    "tanh": nn.Tanh,
    F.silu: nn.SiLU,
    F.relu6: nn.ReLU6,
    F.selu: nn.SELU,
    F.softsign: nn.Softsign,
    F.hardsigmoid: nn.Hardsigmoid,
}
# Those with settings.
_PARAMETRIC: dict[Any, Callable[..., nn.Module]] = {
    F.elu: nn.ELU,
    F.gelu: nn.GELU,
    F.leaky_relu: nn.LeakyReLU,
    F.softplus: nn.Softplus,
}


class _Tracer(fx.Tracer):
    """Takes the modules that can be described as they are, and looks into all others."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return type(m) in KNOWN_MODULES or super().is_leaf_module(m, module_qualified_name)


def as_sequential(network: nn.Module, input_shape: Sequence[int], activation: str | None = None) -> nn.Sequential:
    """Returns the layers of a network in a row, as Keras takes and gives samples; weights are shared, not copied.

    Args:
        network: its `forward` takes one batch, images with their channels first, and calls one layer after another:
            modules, activations, `flatten(1)`, `mean((2, 3))`.
        input_shape: of one sample as Keras has it: (2,), (28, 28, 1).
        activation: by Keras' name, of the outputs where the network returns logits: "softmax", "sigmoid".

    Raises:
        WorkshopError: a call in `forward` has no name in Keras, or layers branch.
    """
    is_one_layer = _Tracer().is_leaf_module(network, "")
    if is_one_layer and len(input_shape) < 3 and activation is None:
        return nn.Sequential(network)
    modules: list[nn.Module] = [ChannelsFirst()] if len(input_shape) == 3 else []
    modules += [network] if is_one_layer else _calls(network)
    if activation is not None:
        modules.append(ACTIVATIONS[activation](-1))
    sequential = nn.Sequential(*modules)
    was_training = network.training
    with torch.no_grad():
        network.eval()
        dtype = next((parameter.dtype for parameter in network.parameters()), torch.float32)
        device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
        takes_numbers = not any(isinstance(module, nn.Embedding) for module in network.modules())
        sample = torch.zeros((2, *input_shape), dtype=dtype if takes_numbers else torch.int64, device=device)
        if sequential(sample).ndim == 4:
            sequential.append(ChannelsLast())
    network.train(was_training)
    return sequential


def _calls(network: nn.Module) -> list[nn.Module]:
    """Returns what `forward` calls, as modules, in order."""
    try:
        graph = _Tracer().trace(network)
    except (TypeError, NotImplementedError, fx.proxy.TraceError) as error:
        raise UnknownLayerError(
            f"forward of {type(network).__name__} cannot be followed ({error}): it takes one layer after another, "
            f"whatever the numbers are"
        ) from error
    modules: list[nn.Module] = []
    current: fx.Node | None = None
    for node in graph.nodes:
        if node.op == "placeholder" and current is None:
            current = node
        elif node.op == "output":
            if node.args[0] is current:
                return modules
        elif node.op == "call_method" and node.target == "size":
            continue  # of x.view(x.size(0), -1)
        elif node.args and node.args[0] is current:
            modules += [network.get_submodule(str(node.target))] if node.op == "call_module" else [_as_module(node)]
            current = node
        else:
            raise UnknownLayerError(
                f"{node.name} in forward of {type(network).__name__} does not take what the call before it returns: "
                f"layers in a row are known here, no branches"
            )
    raise UnknownLayerError(f"forward of {type(network).__name__} returns something else than its last call")


def _as_module(node: fx.Node) -> nn.Module:
    """Returns the module that does what a call of a function or a method does."""
    arguments, named = list(node.args[1:]), dict(node.kwargs)
    if node.target in _ACTIVATIONS:
        return _ACTIVATIONS[node.target]()
    if node.target in _PARAMETRIC:
        return _PARAMETRIC[node.target](*arguments, **named)
    if node.target in (torch.flatten, "flatten") and (arguments or [named.get("start_dim")])[0] == 1:
        return nn.Flatten()
    if node.target in ("view", "reshape") and len(arguments) == 2 and arguments[1] == -1:
        return nn.Flatten()
    if node.target in (torch.unflatten, "unflatten") and arguments[0] == 1 and arguments[1][0] == 1:
        return ReshapeAsKeras((*arguments[1][1:], 1))  # of one channel: its place makes no difference
    if node.target in (torch.mean, "mean") and tuple((arguments or [named.get("dim")])[0]) == (2, 3):
        return GlobalAveragePooling()
    if node.target in (F.max_pool2d, torch.max_pool2d):
        return nn.MaxPool2d(*arguments, **named)
    if node.target is F.interpolate and not named.pop("antialias", False):
        return nn.Upsample(*arguments, **named)
    if node.target is operator.getitem:
        raise UnknownLayerError(f"an index in forward ({node.args[1]}) has no name in Keras")
    raise UnknownLayerError(f"{node.target} in forward has no name in Keras")
