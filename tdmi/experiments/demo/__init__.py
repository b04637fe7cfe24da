"""Poses in any video: a trained run on a file or a folder of frames, drawn into an overlay."""
