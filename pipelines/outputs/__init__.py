"""Predictions in the formats other tools read. Arrays in, files out: no Beam, no TensorFlow."""
