"""Exports of CVAT, for video and for images."""
