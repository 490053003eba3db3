"""Line images and their texts: ``lines`` reads files, ``batches`` groups lines, ``synthetic`` makes digit strings."""
