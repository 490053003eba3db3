"""The folders of decoders: writing, reading, and the Hugging Face hub."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctckit.compat.pyctcdecode import _checks, _files
from ctckit.compat.pyctcdecode.alphabet import Alphabet
from ctckit.compat.pyctcdecode.language_model import AbstractLanguageModel, LanguageModel

if TYPE_CHECKING:
    from typing_extensions import Self


class DecoderFiles:
    """The part of ``BeamSearchDecoderCTC`` that reads and writes folders."""

    _ALPHABET_SERIALIZED_FILENAME = "alphabet.json"
    _LANGUAGE_MODEL_SERIALIZED_DIRECTORY = "language_model"

    _alphabet: Alphabet

    def __init__(
        self, alphabet: Alphabet, language_model: AbstractLanguageModel | None = None, *, strict: bool = False
    ) -> None:
        raise NotImplementedError

    @property
    def _language_model(self) -> AbstractLanguageModel | None:
        raise NotImplementedError

    def save_to_dir(self, filepath: str | os.PathLike[str]) -> None:
        """Write alphabet.json and, with a language model, the folder language_model: the same files as the original.

        Raises:
            DataError: If the folder language_model exists already.
        """
        folder = Path(filepath)
        model = self._language_model
        if model is not None:
            with _files.new_folder(folder / self._LANGUAGE_MODEL_SERIALIZED_DIRECTORY) as unfinished:
                model.save_to_dir(str(unfinished))
        _files.write_text(folder / self._ALPHABET_SERIALIZED_FILENAME, self._alphabet.dumps())

    @staticmethod
    def parse_directory_contents(filepath: str | os.PathLike[str]) -> dict[str, str | None]:
        """Return the paths of alphabet.json and of the folder language_model; None where there is no such folder.

        Raises:
            DataError: If there is no alphabet.
        """
        alphabet = DecoderFiles._ALPHABET_SERIALIZED_FILENAME
        models = DecoderFiles._LANGUAGE_MODEL_SERIALIZED_DIRECTORY
        names = _checks.folder(filepath, alphabet)
        if alphabet not in names:
            raise _checks.incomplete(filepath, names, f"{alphabet} among them")
        return {
            "alphabet": os.path.join(filepath, alphabet),
            "language_model": os.path.join(filepath, models) if models in names else None,
        }

    @classmethod
    def load_from_dir(
        cls, filepath: str | os.PathLike[str], unigram_encoding: str | None = None, *, strict: bool = False
    ) -> Self:
        """Read a folder that ``save_to_dir`` wrote, in ctckit or in the original.

        Raises:
            DataError: If files are missing, or have other content.
        """
        files = cls.parse_directory_contents(filepath)
        alphabet = Alphabet.loads(Path(str(files["alphabet"])).read_text(encoding="utf-8"))
        folder = files["language_model"]
        model = None if folder is None else LanguageModel.load_from_dir(folder, unigram_encoding)
        return cls(alphabet, model, strict=strict)

    @classmethod
    def load_from_hf_hub(
        cls, model_id: str, cache_dir: str | None = None, *, strict: bool = False, **kwargs: Any
    ) -> Self:
        """Read a decoder from the Hugging Face hub with the package huggingface_hub; ``kwargs`` are passed to it.

        Raises:
            ImportError: If huggingface_hub is not installed.
        """
        hub = _checks.huggingface_hub()
        cache = cache_dir or os.path.join(Path.home(), ".cache", "pyctcdecode")
        return cls.load_from_dir(hub.snapshot_download(model_id, cache_dir=cache, **kwargs), strict=strict)
