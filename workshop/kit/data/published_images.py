"""The published image sets that lessons train on: their shapes, classes, digests and addresses."""

from dataclasses import dataclass

SHAPES = ((60000, 28, 28), (60000,), (10000, 28, 28), (10000,))  # of the four arrays, in every set


@dataclass(frozen=True)
class Published:
    """A published image set; `digests` are the SHA-256 of the bytes of its four arrays, in whatever file they come."""

    title: str
    digests: tuple[str, str, str, str]
    classes: tuple[str, ...]
    url: str


SETS = {
    "mnist": Published(
        "MNIST",
        (
            "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
            "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
            "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
            "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
        ),
        tuple("0123456789"),
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
    ),
    "fashion_mnist": Published(
        "Fashion-MNIST",
        (
            "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
            "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
            "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
            "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
        ),
        (
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/train-images-idx3-ubyte.gz",
    ),
}
CLASSES = {name: published.classes for name, published in SETS.items()}
