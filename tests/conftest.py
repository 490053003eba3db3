"""Where there is no GPU, the Triton kernels run in Triton's interpreter: it has to know before it is imported."""

import os
from pathlib import Path

if not Path("/dev/nvidiactl").exists():
    os.environ.setdefault("TRITON_INTERPRET", "1")
