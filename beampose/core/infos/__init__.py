"""What each artefact says of itself: typed, with a kind and a format number."""

from beampose.core.infos.dataset_info import Chosen, Counts, DatasetInfo, Recipe, Shard, StoreInfo
from beampose.core.infos.evaluation_infos import AuditInfo, CurveInfo, EvaluationInfo, FoldsInfo
from beampose.core.infos.figures import Figures, Metrics, Seconds, SpaceFigures
from beampose.core.infos.model_info import Assembly, ExportInfo, ModelInfo, Uncertainty
from beampose.core.infos.points_info import PointFigures, PointsInfo, ViewFigures
from beampose.core.infos.record import Info, Plain, Record, parse
from beampose.core.infos.search_infos import ChoiceInfo, Round, SweepInfo
from beampose.core.infos.upload_info import UploadInfo
from beampose.core.infos.video_info import (
    FilmInfo,
    FilterInfo,
    PredictionInfo,
    ProofreadInfo,
    ReidInfo,
    TracksInfo,
)

__all__ = [
    "Assembly",
    "AuditInfo",
    "ChoiceInfo",
    "Chosen",
    "Counts",
    "CurveInfo",
    "DatasetInfo",
    "EvaluationInfo",
    "ExportInfo",
    "Figures",
    "FilmInfo",
    "FilterInfo",
    "FoldsInfo",
    "Info",
    "Metrics",
    "ModelInfo",
    "Plain",
    "PointFigures",
    "PointsInfo",
    "PredictionInfo",
    "ProofreadInfo",
    "Record",
    "Recipe",
    "ReidInfo",
    "Round",
    "Seconds",
    "Shard",
    "SpaceFigures",
    "StoreInfo",
    "SweepInfo",
    "TracksInfo",
    "Uncertainty",
    "UploadInfo",
    "ViewFigures",
    "parse",
]
