"""Exports of labelling programs: CVAT, labelme, PNG masks, and what they share."""
