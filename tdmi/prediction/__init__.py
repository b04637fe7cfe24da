"""From boxes to predicted and tracked persons."""
