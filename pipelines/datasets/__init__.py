"""Public sets on which the figures of the docs were measured: which, and how to get them."""
