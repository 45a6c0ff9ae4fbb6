"""Who is it? A network that maps face images to vectors, closer for the same person than for different people.

from variegate.embedding import Embedding, train_embedding
run = train_embedding("people", "runs/people")       # one sub-folder per person
vectors = Embedding.load(run)(images)                # (B, 3, H, W) in [-1, 1] to (B, D)
"""

from .saved import Embedding, open_embedding
from .train import train_embedding
from .vectors import embed_folder

__all__ = ["Embedding", "embed_folder", "open_embedding", "train_embedding"]
