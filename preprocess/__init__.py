"""Labels and pixels: readers, checks, decoding, transforms and splits. No TensorFlow, no Beam."""
