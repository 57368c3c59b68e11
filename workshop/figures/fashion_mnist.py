"""The plots of the lesson `fashion_mnist`: those of `mnist`."""

from workshop.figures.mnist import evaluation as evaluation
from workshop.figures.mnist import filters as filters
from workshop.figures.mnist import layers as layers
from workshop.figures.mnist import losses as losses
from workshop.figures.mnist import weight_images as weight_images
