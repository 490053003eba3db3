"""Where lines come from. Finds the picture and the text of each line, and what cannot be used.

* **A folder**, with its subfolders, also linked ones: ``page1_07.png`` and its text ``page1_07.gt.txt``. A processed
  image ``page1_07.bin.png`` (also ``.nrm``, ``.dew``) has the text of ``page1_07``. What macOS and file servers add
  (``._page1_07.png``, ``__MACOSX/``, ``@eaDir/``) is passed over.
* **Pages**: a folder of ALTO (1 to 4) or PAGE XML files (2010 to 2019) and their images, or one such file. The image
  is found under the name in the file or under the name of the file, beside it or above it. The lines are cut out of it,
  upright and straight. One folder may hold pages and images of lines.
* **A table** ``*.tsv`` (tabs, no quoting) or ``*.csv`` (commas, quotes as in RFC 4180) with two columns, the image's
  path (relative to the table) and its text. A first row such as ``path,text`` or ``filename,words`` is a header; then
  there may be more columns, in any order.
* **Parquet** ``*.parquet``, one file or a folder of them, with a column of images (their bytes, as data sets on hubs
  have them) and a column of texts.
"""

from __future__ import annotations

import os
from pathlib import Path

from ctckit.errors import DataError, MissingFileError
from ctckit.ocr.data.folders import pairs_in_folder
from ctckit.ocr.data.page_lines import pairs_of_page
from ctckit.ocr.data.pages.files import PAGE_SUFFIX
from ctckit.ocr.data.pairs import Found
from ctckit.ocr.data.parquet import PARQUET_SUFFIX, pairs_in_parquet
from ctckit.ocr.data.tables import TABLE_SUFFIXES, pairs_in_table


def find_pairs(source: Path) -> list[Found]:
    """Return the lines of a folder, ordered by path, or of a table, a page or a Parquet file in its order.

    Raises:
        DataError: If the folder holds no lines, or the file is none of these.
    """
    if os.path.isdir(source):
        return pairs_in_folder(source)
    if not os.path.isfile(source):
        raise MissingFileError(f"{source}: there is no such folder or table. Check the path.")
    suffix = source.suffix.lower()
    if suffix == PAGE_SUFFIX:
        return pairs_of_page(source)
    if suffix == PARQUET_SUFFIX:
        return list(pairs_in_parquet(source))
    if suffix in TABLE_SUFFIXES:
        return list(pairs_in_table(source))
    raise DataError(
        f"{source}: expected a folder, a .tsv (tabs) or a .csv (commas) table, a page (.xml) or a .parquet file; found "
        f"{source.suffix!r}."
    )
