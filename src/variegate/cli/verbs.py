"""The verbs of the command line: dataclasses whose fields are options. Each imports what it needs when it runs."""

from .compressing import Compress, Decompress
from .data import Check, Export, FindLandmarks, Neighbours, Rarity
from .drawing import Complete, Edit, Interpolate, Sample, Sequence
from .embed import EmbedApply, EmbedTrain
from .looking import Doctor, Evaluate, Methods, Moments
from .training import Demo, DemoLikelihood, Import, ToyRing, Train

__all__ = ["VERBS", "Train"]

VERBS = {
    "demo": Demo,
    "demo likelihood": DemoLikelihood,
    "methods": Methods,
    "data check": Check,
    "data landmarks": FindLandmarks,
    "data rarity": Rarity,
    "data neighbours": Neighbours,
    "data export-streets": Export,
    "train": Train,
    "sample": Sample,
    "complete": Complete,
    "interpolate": Interpolate,
    "edit": Edit,
    "sequence": Sequence,
    "moments": Moments,
    "toy ring": ToyRing,
    "import": Import,
    "compress": Compress,
    "decompress": Decompress,
    "embed train": EmbedTrain,
    "embed apply": EmbedApply,
    "evaluate": Evaluate,
    "doctor": Doctor,
}
