"""What converters of several formats share: reading JSON, images, shapes and masks."""
