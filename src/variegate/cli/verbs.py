"""The verbs of the command line: dataclasses whose fields are options; each imports what it needs when it runs."""

from .compare import Compare
from .complete import Complete
from .compress import Compress
from .data_check import Check
from .data_export import Export
from .data_landmarks import FindLandmarks
from .data_neighbours import Neighbours
from .data_normals import EstimateNormals
from .data_pack import Pack
from .data_rarity import Rarity
from .decompress import Decompress
from .demo import Demo
from .demo_likelihood import DemoLikelihood
from .doctor import Doctor
from .edit import Edit
from .embed_apply import EmbedApply
from .embed_train import EmbedTrain
from .evaluate import Evaluate
from .export import ExportModel
from .filters import Filters
from .import_weights import Import
from .interpolate import Interpolate
from .methods import Methods
from .moments import Moments
from .protocols import Protocols
from .push import Push
from .sample import Sample
from .sequence import Sequence
from .studio import Studio
from .study_create import StudyCreate
from .study_report import StudyReport
from .study_serve import StudyServe
from .toy_ring import ToyRing
from .train import Train

__all__ = ["VERBS", "Train"]

VERBS = {
    "demo": Demo,
    "demo likelihood": DemoLikelihood,
    "methods": Methods,
    "protocols": Protocols,
    "data check": Check,
    "data pack": Pack,
    "data landmarks": FindLandmarks,
    "data normals": EstimateNormals,
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
    "filters": Filters,
    "toy ring": ToyRing,
    "export": ExportModel,
    "import": Import,
    "push": Push,
    "compress": Compress,
    "decompress": Decompress,
    "embed train": EmbedTrain,
    "embed apply": EmbedApply,
    "evaluate": Evaluate,
    "compare": Compare,
    "doctor": Doctor,
    "studio": Studio,
    "study create": StudyCreate,
    "study serve": StudyServe,
    "study report": StudyReport,
}
