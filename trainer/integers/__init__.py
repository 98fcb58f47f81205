"""Backbones in whole numbers: quantised once, the same answer on every machine.

`converter` makes a file of a float network and some pictures, `lite_file` reads it, `network` is
its arithmetic in TensorFlow, and `runner` lets LiteRT compute the same.
"""
