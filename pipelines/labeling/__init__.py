"""From videos to a folder of frames to label."""
