"""Pictures without loss in about as many bits as a model's likelihood says: -log2 p(image | condition)."""

from .coder import Encoded, Walks, decode, encode
from .pictures import compress, decompress

__all__ = ["Encoded", "Walks", "compress", "decode", "decompress", "encode"]
