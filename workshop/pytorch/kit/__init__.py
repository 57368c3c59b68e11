"""The parts that the mirrors in PyTorch share."""
