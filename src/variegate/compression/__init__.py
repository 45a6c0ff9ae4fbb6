"""Lossless image compression to about as many bits as a model's likelihood implies: -log2 p(image | condition)."""

from .coder import Encoded, decode, encode
from .images import compress, decompress

__all__ = ["Encoded", "compress", "decode", "decompress", "encode"]
