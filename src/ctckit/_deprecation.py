"""``@deprecated("since 0.2, removed in 0.4: use NAME")``: the mark of PEP 702, which type checkers show too."""

import sys

if sys.version_info >= (3, 13):
    from warnings import deprecated as deprecated
else:
    from typing_extensions import deprecated as deprecated
