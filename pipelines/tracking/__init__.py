"""Detections of several animals to tracks. Arrays in, arrays out: no Beam, no TensorFlow."""
