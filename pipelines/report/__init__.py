"""What is looked at: pages, plots, tables. No Beam, no TensorFlow."""
