"""Data in memory: skeletons, annotations, detections, boxes, attributes, checked records."""
