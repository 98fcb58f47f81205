"""COCO keypoints: reader and writer."""
