"""What starts by itself: uploads that become models, on a disk and in a bucket."""
