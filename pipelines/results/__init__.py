"""What is made of predictions that exist. No Beam, no TensorFlow."""
