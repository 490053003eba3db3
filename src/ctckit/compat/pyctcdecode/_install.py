"""``install``: ctckit's modules under the name pyctcdecode, for libraries that import it by themselves."""

from __future__ import annotations

import importlib
import importlib.util
import sys

from ctckit.compat.pyctcdecode import _checks

NAME = "pyctcdecode"
MODULES = ("", ".alphabet", ".constants", ".decoder", ".language_model")
KENLM = "kenlm"


def install() -> None:
    """Make ``import pyctcdecode`` give ``ctckit.compat.pyctcdecode`` in this process, until ``uninstall``.

    If the kenlm package is not installed, ``import kenlm`` gives ``ctckit.compat.kenlm``: transformers checks that both
    exist before it loads a decoder. It remembers the answer, so call this before the first
    ``Wav2Vec2ProcessorWithLM.from_pretrained``.

    Raises:
        InvalidInputError: If the original pyctcdecode is imported already; there would be two classes of each name.

    Example:
        >>> from ctckit.compat.pyctcdecode import install, uninstall
        >>> install()
        >>> import pyctcdecode
        >>> pyctcdecode.BeamSearchDecoderCTC.__module__
        'ctckit.compat.pyctcdecode.decoder'
        >>> uninstall()
    """
    names = {f"{NAME}{each}": f"ctckit.compat.{NAME}{each}" for each in MODULES}
    if importlib.util.find_spec(KENLM) is None:
        names[KENLM] = "ctckit.compat.kenlm"
    modules = {name: importlib.import_module(ours) for name, ours in names.items()}
    for name, module in modules.items():
        _checks.free(name, sys.modules.get(name, module) is module)
    sys.modules.update(modules)


def uninstall() -> None:
    """Undo ``install``. Without a call of ``install`` it does nothing.

    Example:
        >>> import sys
        >>> from ctckit.compat.pyctcdecode import install, uninstall
        >>> install()
        >>> uninstall()
        >>> "pyctcdecode" in sys.modules
        False
    """
    for name in (*(f"{NAME}{each}" for each in MODULES), KENLM):
        module = sys.modules.get(name)
        if module is not None and module.__name__.startswith("ctckit."):
            del sys.modules[name]
