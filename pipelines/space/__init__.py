"""Several cameras: calibration, points in space, what is made of them. No Beam, no TensorFlow."""
