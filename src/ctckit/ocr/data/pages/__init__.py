"""Pages: ALTO and PAGE files, the lines in them, and these lines cut out of the images.

``layout`` says what a page is. ``alto`` and ``page_xml`` read the two formats, by ``xml``. ``files`` finds pages and
their images in folders. ``cutting`` turns a line of a page into the image of a line.
"""
