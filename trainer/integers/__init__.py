"""Backbones in whole numbers: quantised once, the same answer on every machine.

`converter` makes a file of a float network and some pictures, `lite_file` reads it, and `network`
is its arithmetic in TensorFlow. LiteRT computes the same, see `beampose.trainer.lite`.
"""
