"""From annotated video frames to the crops and targets that a model sees."""
