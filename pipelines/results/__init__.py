"""Results made from existing predictions. No Beam, no TensorFlow."""
