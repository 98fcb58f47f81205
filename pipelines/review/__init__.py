"""What people look at: drawn frames, labeled videos, plots, the report. No Beam, no TensorFlow."""
