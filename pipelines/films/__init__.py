"""Drawings on frames, labeled films and clips. No Beam, no TensorFlow."""
