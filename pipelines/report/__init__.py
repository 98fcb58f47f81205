"""Report: pages, plots, tables. No Beam, no TensorFlow."""
