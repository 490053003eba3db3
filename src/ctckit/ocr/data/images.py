"""Images: opened, in gray levels, and scaled to a network's height.

Every kind of image that Pillow reads becomes gray levels as a person sees it: turned as its EXIF orientation says,
transparent pixels as paper, deep gray levels scaled by their range.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter, ImageOps, UnidentifiedImageError

from ctckit.errors import DataError, MissingFileError

GrayImage = npt.NDArray[np.uint8]

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".tif", ".tiff", ".webp")
MAX_WIDTH = 8192  # pixels at the network's height: about 400 characters; a batch is as wide as its widest line
_DEPTHS = (8, 10, 12, 14, 16, 24, 32)  # bits that scanners and cameras store in 16 or 32
_LEAST_SKEW = 0.3  # of dark ink on paper: below -1
_LEAST_CONTRAST = 16  # gray levels between ink and paper, of 255


def load_image(path: str | Path, *, upright: bool = True) -> Image.Image:
    """Return an image file in gray levels; transparent pixels become white.

    Args:
        path: The file.
        upright: Turn it as its EXIF orientation says; or leave it as it is stored.

    Raises:
        DataError: If the file is missing or is not an image that Pillow can read.
    """
    try:
        with Image.open(path) as opened:
            return to_gray(opened, upright=upright)
    except FileNotFoundError:
        raise MissingFileError(f"{path}: there is no such image file. Check the path.") from None
    except IsADirectoryError:
        raise DataError(f"{path}: this is a folder, not an image. Name the images in it.") from None
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    except Exception as error:  # Pillow's readers raise errors of any class on damaged files
        raise DataError(f"{path}: {_unreadable(error)}") from error


def _unreadable(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):  # its message has the address of an object
        said = "it has none of the formats that Pillow knows"
    else:
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"cannot be read as an image ({said}). Convert it to PNG, or remove it."


def image_from_bytes(content: bytes, name: str) -> Image.Image:
    """Return an image that is the content of a file, in gray levels.

    Args:
        content: The content.
        name: Where it is, for messages.

    Raises:
        DataError: If it is not an image that Pillow can read.
    """
    try:
        with Image.open(io.BytesIO(content)) as opened:
            return to_gray(opened)
    except DataError as error:
        raise DataError(f"{name}: {error}") from error
    except Exception as error:  # as above
        raise DataError(f"{name}: {_unreadable(error)}") from error


def to_gray(image: Image.Image, *, upright: bool = True) -> Image.Image:
    """Return the image in gray levels (mode ``L``), upright as its EXIF orientation says, or else as it is stored.

    Transparent pixels become white. If nothing can be seen then, as with white ink on a transparent ground, the ground
    becomes black and the levels are inverted. Deep levels are scaled by the smallest usual range that holds them: 8,
    10, 12, 14, 16, 24 or 32 bits; floating-point levels lie in 0..1, 0..255 or 0..65535.

    Raises:
        DataError: If the image is closed or empty, or its levels are negative or NaN.
    """
    try:
        return _to_gray(ImageOps.exif_transpose(image) if upright else image)
    except DataError:
        raise
    except Exception as error:  # it is closed, or is read only now
        raise DataError(_unreadable(error)) from error


def _to_gray(image: Image.Image) -> Image.Image:
    if not image.width or not image.height:
        raise DataError(f"the image has {image.width} × {image.height} pixels; expected at least one of each.")
    if image.mode == "F" or image.mode.startswith("I"):  # Pillow's conversion would clip and not scale
        return _scale_levels(image)
    if image.has_transparency_data:
        return _on_paper(image.convert("RGBA"))
    return image.getchannel("L") if image.mode == "LAB" else image.convert("L")


def _scale_levels(image: Image.Image) -> Image.Image:
    levels = np.array(image, dtype=np.float64)
    if not np.all(np.isfinite(levels) & (levels >= 0.0)):
        raise DataError("the image has levels below 0 or not finite; expected 0 for black. Convert it to PNG.")
    clear = image.info.get("transparency")  # of a PNG: one level of 16 bits
    white = 65535.0 if isinstance(clear, int) else _range(float(levels.max()), whole=image.mode != "F")
    if isinstance(clear, int):
        levels[levels == clear] = white
    return Image.fromarray((levels * (255.0 / white)).clip(0.0, 255.0).round().astype(np.uint8))


def _range(largest: float, *, whole: bool) -> float:
    """Return the level of white in an image with this largest level."""
    if not whole:
        return next(
            (white for white in (1.0, 255.0, 65535.0) if largest <= 1.001 * white), largest
        )  # it may be rounded
    return next(2.0**bits - 1.0 for bits in _DEPTHS if largest < 2.0**bits)


def _on_paper(colored: Image.Image) -> Image.Image:
    white = _over("white", colored)
    if _contrast(white) >= _LEAST_CONTRAST:
        return white
    black = _over("black", colored)
    return ImageOps.invert(black) if _contrast(black) >= _LEAST_CONTRAST else white


def _over(ground: str, colored: Image.Image) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", colored.size, ground), colored).convert("L")


def _contrast(image: Image.Image) -> int:
    darkest, lightest = image.getextrema()
    return int(lightest) - int(darkest)  # type: ignore[arg-type]


def is_blank(image: GrayImage) -> bool:
    """Return whether no ink can be seen: all gray levels are nearly equal."""
    return int(image.max(initial=0)) - int(image.min(initial=255)) < _LEAST_CONTRAST


def has_light_ink(image: GrayImage) -> bool:
    """Return whether an image of a line has light ink on a dark ground.

    Ink covers less of a line than the ground does. So the differences of the pixels from the mean of their
    surroundings, a square as high as the line, are skewed towards the ink. Shadows change that mean as well.
    """
    if min(image.shape) < 2 or is_blank(image):
        return False
    levels = np.asarray(image, dtype=np.float64)
    around = Image.fromarray(image).filter(ImageFilter.BoxBlur(max(2, image.shape[0] // 2)))
    differences = levels - np.asarray(around, dtype=np.float64)
    spread = float(differences.std())
    return spread > 0 and float((differences**3).mean()) / spread**3 > _LEAST_SKEW


def inverted(image: GrayImage) -> GrayImage:
    """Return an image with black and white exchanged."""
    return np.uint8(255) - image


def scale_to_height(image: Image.Image, height: int, *, max_width: int = MAX_WIDTH) -> GrayImage:
    """Return a gray image scaled to ``height`` pixels with its proportions: (height, width) uint8.

    Args:
        image: Of mode ``L``.
        height: The height of the result in pixels.
        max_width: The most columns of the result.

    Raises:
        DataError: If the result would be wider.
    """
    width = scaled_width(image.width, image.height, height, image, max_width=max_width)
    if image.height != height:
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.uint8)


def scaled_width(width: float, height: float, new_height: int, image: Image.Image, *, max_width: int) -> int:
    """Return the columns of a line of an image when it is scaled to a height.

    Args:
        width: Of the line.
        height: Of the line.
        new_height: Its new height.
        image: The image, for the message.
        max_width: The most columns.

    Raises:
        DataError: If there would be more.
    """
    result = max(1, round(width * new_height / height))
    if result > max_width:
        raise TooWideError(
            f"the image is {image.width} × {image.height} pixels, {result} × {new_height} when scaled to the height of "
            f"the model; at most {max_width} columns are read. Cut it into lines, or set a larger max_width."
        )
    return result


class TooWideError(DataError):
    """A line is wider than the limit."""
