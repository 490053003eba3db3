"""Line images and their texts: ``lines`` reads them, ``batches`` groups them, ``synthetic`` composes digit strings."""
