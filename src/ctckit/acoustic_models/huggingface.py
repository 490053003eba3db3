"""Local folders of Hugging Face models for CTC (``Wav2Vec2ForCTC``, ``HubertForCTC`` and similar)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit import _checks
from ctckit.acoustic_models.model import AcousticModel
from ctckit.errors import DataError, InvalidInputError
from ctckit.vocabulary import Vocabulary


def load(folder: str, *, device: str = "auto", language: str | None = None) -> AcousticModel:
    """Return the model of a folder, with its feature extractor and tokenizer, as ``save_pretrained`` wrote them.

    Nothing is downloaded, and no code of the folder is executed.

    Args:
        folder: The folder.
        device: "cpu", "cuda", "mps" or another of torch; "auto": a GPU if there is one.
        language: The adapter to use, for models that have one for each language, as MMS: "deu" for
            adapter.deu.safetensors.

    Raises:
        DataError: If it is not such a folder, or has no adapter for the language.
        InvalidInputError: If there is no such device.
        MissingDependencyError: If transformers or torch is not installed.
    """
    try:
        import torch
        from transformers import AutoConfig, AutoFeatureExtractor, AutoModelForCTC, AutoTokenizer
    except ModuleNotFoundError as error:
        raise _checks.missing(error, 'the acoustic model "huggingface"', "huggingface") from error
    if not (Path(folder) / "config.json").is_file():
        raise DataError(f"{folder or 'huggingface'}: expected huggingface:FOLDER, a folder with a config.json.")
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        _expect_ctc(folder, config)
        network = AutoModelForCTC.from_pretrained(folder, local_files_only=True).eval()
        extractors: Any = AutoFeatureExtractor  # its methods have no types
        features = extractors.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{folder}: cannot be loaded ({str(error).splitlines()[0]})") from error
    tokenizer = _tokenizer(folder, AutoTokenizer)
    if language is not None:
        _set_language(folder, network, tokenizer, language)
    place = _move(network, device)
    rate = int(features.sampling_rate)

    def log_probs_of_batch(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        inputs = features(list(samples), sampling_rate=rate, return_tensors="pt")
        with torch.inference_mode():
            logits = network(inputs[features.model_input_names[0]].to(place)).logits
        result: npt.NDArray[np.float32] = logits.float().log_softmax(dim=-1).cpu().numpy()
        return result

    def log_probs(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        result: npt.NDArray[np.float32] = log_probs_of_batch(samples[None])[0]
        return result

    vocabulary = _vocabulary(folder, network.config, tokenizer)
    step = _frame_samples(config, rate, log_probs)
    return AcousticModel(vocabulary, rate, step, log_probs, log_probs_of_batch=log_probs_of_batch)


def _set_language(folder: str, network: Any, tokenizer: Any, language: str) -> None:
    try:
        tokenizer.set_target_lang(language)
        network.load_adapter(language, local_files_only=True)
    except (AttributeError, OSError, ValueError) as error:
        raise DataError(
            f"{folder}: it has no adapter for the language {language!r} ({str(error).splitlines()[0]}); expected "
            f"adapter.{language}.safetensors, and the language in vocab.json."
        ) from error


def _move(network: Any, device: str) -> Any:
    """Move a network to a device and return that."""
    import torch

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        network.to(device)
    except (AssertionError, RuntimeError) as error:
        raise InvalidInputError(
            f"device is {device!r}, which torch cannot use here ({str(error).splitlines()[0]}); expected one that it "
            "can, such as cpu."
        ) from error
    return torch.device(device)


def _tokenizer(folder: str, tokenizers: Any) -> Any:
    needed = "expected the files that the tokenizer's save_pretrained writes, vocab.json among them"
    try:
        return tokenizers.from_pretrained(folder, local_files_only=True)
    except TypeError as error:  # the file of its tokens is missing
        raise DataError(f"{folder}: it has no tokenizer; {needed}.") from error
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{folder}: its tokenizer cannot be loaded ({str(error).splitlines()[0]}); {needed}."
        ) from error


def _expect_ctc(folder: str, config: Any) -> None:
    names = getattr(config, "architectures", None) or ()
    if names and not any(name.endswith("ForCTC") for name in names):
        raise DataError(f"{folder}: a {', '.join(names)}; expected a model for CTC, such as Wav2Vec2ForCTC.")


def _vocabulary(folder: str, config: Any, tokenizer: Any) -> Vocabulary:
    """Return the tokenizer's tokens. The padding is the blank, as in the training of these models.

    The other special tokens, such as "<unk>", are silent.
    """
    classes = int(config.vocab_size)
    tokens = [f"<unused {n}>" for n in range(classes)]
    for token, n in tokenizer.get_vocab().items():
        if n < classes:
            tokens[n] = token
    blank = config.pad_token_id
    if blank is None or not 0 <= blank < classes:
        raise DataError(f"{folder}: config.json gives pad_token_id {blank}; expected the class of the blank.")
    tokens[blank] = ""
    separator = getattr(tokenizer, "word_delimiter_token", None)
    silent = tuple(token for token in tokenizer.all_special_tokens if token in tokens and token != separator)
    return Vocabulary(tuple(tokens), blank, separator=separator if separator in tokens else None, silent=silent)


def _frame_samples(config: Any, rate: int, log_probs: Any) -> int:
    """Return the samples per frame: from the configuration, or measured by the frames of ten more seconds."""
    ratio = getattr(config, "inputs_to_logits_ratio", None)
    if ratio:
        return int(ratio)
    short, long = (len(log_probs(np.zeros(seconds * rate, np.float32))) for seconds in (10, 20))
    return round(10 * rate / (long - short))
