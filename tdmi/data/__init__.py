"""The in-memory form of data: skeletons, annotations, detections, attributes."""
