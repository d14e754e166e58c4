"""One picture file as an array: whole and unaltered, or refused in one line."""

import re
import struct
import warnings
import zlib
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import LosslessError, quoted
from ..networks.notation import Shape

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG")

_TITLES = {"L": "grey with 8 bits a pixel (mode L)", "RGB": "colour with 8 bits a channel (mode RGB)"}
# What converts to the mode on the left without loss, where nothing is transparent.
_CONVERTIBLE = {"L": ("L", "LA"), "RGB": ("RGB", "RGBA", "P")}
_ORIENTATION, _UPRIGHT = 0x0112, 1
# PNG, section 11.2.2: values of a pixel by colour type. Section 8.2: column and row at which each pass of an
# interlaced picture starts, and its steps.
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))

# JPEG, section B.1.1.3: markers, but those that stand alone within a scan; what is no marker there has a 0 behind it.
_JPEG_MARKER = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")
_EOI = 0xD9


def read_picture(content: bytes, shape: Shape, path: Path) -> np.ndarray:
    """The picture in a PNG or JPEG file.

    Taken as they are: grey where C = 1, RGB where C = 3. A palette's colours, and an alpha channel that is
    opaque everywhere, convert without loss. For the rest its owner has to decide, so it is refused: another
    size than that of `shape`, which is compared before anything is decompressed; another mode; transparent
    pixels; an EXIF orientation other than 1; more than one picture in a file, also one behind the other; and a
    file that is cut off or damaged, also where decoders fill in what is missing.

    Args:
        content: The bytes of the file.
        shape: The shape (C, H, W) that it must have.
        path: What an error names.

    Returns:
        Pixels, uint8 (C, H, W).

    Raises:
        LosslessError: The picture is refused.
    """
    from PIL import Image, UnidentifiedImageError  # only where there is something to decode

    try:
        with warnings.catch_warnings(action="ignore"), Image.open(BytesIO(content), formats=FORMATS) as image:
            if misfit := _misfit(image, shape):
                raise LosslessError(f"{path}: {misfit}")
            (_check_png if image.format == "PNG" else _check_jpeg)(content)
            image.load()
            if hidden := _hidden(image):
                raise LosslessError(f"{path}: {hidden}")
            pixels = np.asarray(image.convert(_mode(shape)))
    except LosslessError:
        raise
    except UnidentifiedImageError:
        raise LosslessError(f"{path}: not a picture in PNG or JPEG format") from None
    except Exception as error:  # whatever damaged bytes make the decoders stumble over
        raise LosslessError(f"{path}: a damaged picture ({quoted(error)})") from None
    return pixels.reshape(shape[1], shape[2], shape[0]).transpose(2, 0, 1)


def _mode(shape: Shape) -> str:
    return "L" if shape[0] == 1 else "RGB"


def _misfit(image: "Image", shape: Shape) -> str | None:
    """Why a picture does not fit, by what its file declares."""
    if image.size != (shape[2], shape[1]):
        found = f"{image.height} x {image.width} pixels (height x width)"
        return f"{found}, but all pictures must be {shape[1]} x {shape[2]}"
    if image.mode not in _CONVERTIBLE[_mode(shape)]:
        return f"mode {image.mode}, but all pictures must be {_TITLES[_mode(shape)]}"
    # Pillow reads a JPEG file with several pictures as MPO, unless they are versions of one: those have "mp".
    if getattr(image, "n_frames", 1) > 1 or "mp" in image.info:
        return "more than one picture in a file; store the one that is meant"
    return None


def _hidden(image: "Image") -> str | None:
    """What a decoded picture has that an array of its pixels would leave out."""
    if (orientation := image.getexif().get(_ORIENTATION, _UPRIGHT)) != _UPRIGHT:
        return f"EXIF orientation {orientation!s:.20}; store the pixels upright, with orientation 1 or without"
    if image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema() != (255, 255):
        return "has transparent pixels; put it on a background of your choice"
    return None


def _check_png(content: bytes) -> None:
    """Raise ValueError unless every chunk, and the compressed pixels as a whole, are there and match their checksums.

    Pillow compares no checksum of the pixels, and leaves rows black that are missing.
    """
    position, kind, compressed = 8, b"", []
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", content, position)
        start, end = position + 8, position + 8 + length
        data, check = content[start:end], content[end : end + 4]
        if zlib.crc32(kind + data).to_bytes(4, "big") != check:
            raise ValueError(f"chunk {kind!r} is cut off or has the wrong checksum")
        if kind == b"IHDR":
            size = _png_size(data)
        elif kind == b"IDAT":
            compressed.append(data)
        position += 12 + length
    stream = zlib.decompressobj()
    pixels = stream.decompress(b"".join(compressed), size + 1024)
    if not stream.eof or len(pixels) != size:
        raise ValueError("its pixels are cut off, or more than its size")
    _check_end(content, position)


def _png_size(header: bytes) -> int:
    """Bytes that a PNG file's pixels decompress to: each row, of each pass, with a byte before it."""
    width, height, depth, colours, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    bits = depth * _PNG_CHANNELS[colours]
    sizes = [((width - x + dx - 1) // dx, (height - y + dy - 1) // dy) for x, y, dx, dy in _ADAM7[: 7 * interlaced]]
    return sum(rows * (1 + (columns * bits + 7) // 8) for columns, rows in sizes or [(width, height)] if columns)


def _check_jpeg(content: bytes) -> None:
    """Raise ValueError unless all pixels are there; Pillow fills in what is missing with grey."""
    import simplejpeg

    simplejpeg.decode_jpeg(content, "GRAY", strict=True)
    _check_end(content, _jpeg_end(content))


def _jpeg_end(content: bytes) -> int:
    """Where a JPEG file's first picture ends: behind its marker EOI, which no segment and no scan has inside."""
    position = 2  # behind SOI
    while found := _JPEG_MARKER.search(content, position):
        position = found.end()
        if content[position - 1] == _EOI:
            break
        (length,) = struct.unpack_from(">H", content, position)
        position += length
    return position


def _check_end(content: bytes, end: int) -> None:
    """Raise ValueError where more than padding follows a picture: decoders pass over a second one."""
    if content[end:].strip(b"\0\r\n"):
        raise ValueError(f"goes on for {len(content) - end:,} bytes after its end; store one picture, and nothing else")
