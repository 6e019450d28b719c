"""COCO-like JSON: videos (CocoVID, TAO) and images (KINS, D2SA, COCOA)."""
