"""Who is it? A network from an image of a face to a vector, nearer to those of the same person than to any other.

from variegate.embedding import Embedding, train_embedding
run = train_embedding("people", "runs/people")       # a folder for each person
vectors = Embedding.load(run)(images)                # (B, 3, H, W) in [-1, 1] to (B, D)
"""

from .saved import Embedding, open_embedding
from .train import train_embedding
from .vectors import embed_folder

__all__ = ["Embedding", "embed_folder", "open_embedding", "train_embedding"]
