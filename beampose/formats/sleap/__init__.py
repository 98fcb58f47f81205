"""SLEAP's labels and predictions: reader and writer."""
