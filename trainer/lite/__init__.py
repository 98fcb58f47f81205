"""Backbones that LiteRT computes, between parts of a model that TensorFlow computes.

The same float32 arithmetic or whole numbers, sooner than TensorFlow on processors. `float_file`
writes a backbone as LiteRT reads it, `runner` opens it, `lite_embedder` embeds images by it, and
`calls` answers for a SavedModel.
"""
