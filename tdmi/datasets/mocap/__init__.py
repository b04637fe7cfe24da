"""The embedded data set: people rendered from real motion capture, with exact labels.

Axes. Clips and worlds are right-handed and in metres, y up. In a clip, a person at rest looks along
+x with the right hand towards +z; in a world, the camera looks along -z, x to its right. Camera
coordinates are x right, y down, z depth. Angles are radians unless a name says degrees.
"""
