#!/usr/bin/env python3
"""Writes images/: small image files and what Pillow makes of them (decoding, resizing, gray).

Run with Pillow 13.0 and numpy from any folder; the same versions give the same bytes.
"""

import pathlib
import struct
import zlib

import numpy as np
from PIL import Image

FOLDER = pathlib.Path(__file__).resolve().parent / "images"
RESAMPLE = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
# height, width: smaller, larger, one of each, far smaller, one side kept, an odd ratio
SIZES = [(17, 23), (52, 70), (20, 80), (3, 5), (45, 30), (32, 61), (44, 60)]


def picture(height, width):
    """Smooth gradients, hard edges and noise, so that every filter has something to get wrong."""
    y, x = np.mgrid[0:height, 0:width]
    rng = np.random.default_rng(3)
    channels = [
        127 + 120 * np.sin(x / 5.0) * np.cos(y / 7.0),
        255.0 * ((x // 6 + y // 4) % 2),
        255.0 * x / max(width - 1, 1),
    ]
    pixels = np.stack(channels, -1) + rng.normal(0, 12, (height, width, 3))
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def png_chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def write_png16(path, values, colour_type):
    """16-bit PNG, which Pillow cannot write in colour."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header)
                     + png_chunk(b"IDAT", zlib.compress(rows, 9)) + png_chunk(b"IEND", b""))


def write_images():
    colour = Image.fromarray(picture(45, 61))
    colour.save(FOLDER / "colour.png", optimize=True)
    colour.save(FOLDER / "colour.jpg", quality=88)
    colour.save(FOLDER / "full_chroma.jpeg", quality=92, subsampling=0)
    colour.save(FOLDER / "progressive.JPG", quality=85, progressive=True)
    colour.convert("L").save(FOLDER / "gray.jpg", quality=90)
    colour.convert("L").save(FOLDER / "gray.png")
    small = Image.fromarray(picture(11, 14))
    small.save(FOLDER / "colour.bmp")
    small.save(FOLDER / "colour.ppm")
    small.save(FOLDER / "lossy.webp", quality=80)
    small.save(FOLDER / "lossless.webp", lossless=True)
    small.quantize(16).save(FOLDER / "palette.png")
    small.convert("L").point(lambda v: 255 * (v > 99)).convert("1").save(FOLDER / "bits.png")
    alpha = np.dstack([picture(11, 14), np.arange(154, dtype=np.uint8).reshape(11, 14)])
    Image.fromarray(alpha, "RGBA").save(FOLDER / "alpha.png")
    Image.fromarray(alpha[..., 2:], "LA").save(FOLDER / "gray_alpha.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate by 90 degrees": to be ignored
    small.save(FOLDER / "oriented.jpg", quality=90, exif=exif)
    small.convert("CMYK").save(FOLDER / "cmyk.jpg", quality=95)
    rng = np.random.default_rng(5)
    write_png16(FOLDER / "colour16.png", rng.integers(0, 65536, (5, 6, 3)), 2)
    write_png16(FOLDER / "gray16.png", rng.integers(0, 400, (5, 6)), 0)


def decoded():
    files = sorted(p for p in FOLDER.iterdir() if p.suffix not in (".npz", ".md"))
    return {p.name: np.asarray(Image.open(p).convert("RGB")) for p in files}


def resized():
    image = Image.open(FOLDER / "colour.png").convert("RGB")
    gray = image.convert("L")
    out = {}
    for name, filter_ in RESAMPLE.items():
        for height, width in SIZES:
            size = (width, height)
            out[f"{name}_{height}x{width}"] = np.asarray(image.resize(size, filter_))
        out[f"{name}_gray_17x23"] = np.asarray(gray.resize((23, 17), filter_))[..., None]
    for height, width in SIZES:  # sampling at points: an affine transform does not antialias
        matrix = (image.width / width, 0, 0, 0, image.height / height, 0)
        out[f"point_bilinear_{height}x{width}"] = np.asarray(
            image.transform((width, height), Image.Transform.AFFINE, matrix, RESAMPLE["bilinear"]))
    out["gray"] = np.asarray(gray)[..., None]
    return out


def preprocessed():
    """Resize, crop, colour and normalise as the JSON of the test says."""
    image = Image.open(FOLDER / "colour.jpg").convert("RGB")
    image = image.resize((30 * image.width // image.height, 30), RESAMPLE["bicubic"])
    top, left = (image.height - 12) // 2, (image.width - 15) // 2
    image = image.crop((left, top, left + 15, top + 12))
    rgb = np.asarray(image).astype(np.float32)
    mean = np.array([123.675, 116.28, 103.53], np.float32)
    std = np.array([58.395, 57.12, 57.375], np.float32)
    gray = np.asarray(image.convert("L")).astype(np.float32)
    return {
        "rgb_nchw": ((rgb - mean) / std).transpose(2, 0, 1)[None],
        "bgr_nhwc": ((rgb[..., ::-1] - mean) / std)[None],
        "gray_nchw": ((gray - np.float32(77.9)) / np.float32(81.2))[None, None],
    }


def main():
    FOLDER.mkdir(exist_ok=True)
    write_images()
    np.savez_compressed(FOLDER / "decoded.npz", **decoded())
    np.savez_compressed(FOLDER / "resized.npz", **resized())
    np.savez_compressed(FOLDER / "preprocessed.npz", **preprocessed())


if __name__ == "__main__":
    main()
