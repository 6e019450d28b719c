"""Files of labelme, one per frame."""
