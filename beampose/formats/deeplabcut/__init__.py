"""DeepLabCut's projects, labels, shuffles, predictions and tracks: readers and writers."""
