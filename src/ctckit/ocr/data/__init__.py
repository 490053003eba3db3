"""Line images and their texts.

``sources`` finds them in folders and tables, ``images`` and ``texts`` read them, ``lines`` puts both together;
``batches`` groups lines, ``synthetic`` makes digit strings of the images in ``digits``.
"""
