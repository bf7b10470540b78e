"""Predictions held against measured runs: published tables of training and serving runs, or a user's own."""

from __future__ import annotations

from pathlib import Path

from suanli.api.train import own_calibration
from suanli.domain.validation import FitRow, Summary, ValidationResult
from suanli.foundation.errors import InputError
from suanli.foundation.language import tr

__all__ = ["FitRow", "Summary", "ValidationResult", "validate"]


def validate(path: str | Path, calibration: str | Path | None = None) -> ValidationResult:
    """Predict every row of a table of runs at the layout it gives.

    The columns tell training from serving, and serving on GPUs from a table of special-purpose chips.

    `calibration` is a file of a user's own figures of training, laid over the shipped ones.

    Raises InputError where the table cannot be read, with every wrong cell at once.
    """
    from suanli.validation.rows import read_records
    from suanli.validation.specialised_rows import COLUMNS
    from suanli.validation.summary import result_of
    from suanli.validation.training import MEASURED_COLUMNS, TRAINING_COLUMNS

    own, _ = own_calibration(calibration)
    file = Path(path)
    records = read_records(file)
    columns = set(records[0].cells) if records else set()
    if not records:
        raise InputError.single(place=str(file), found=tr("no rows"), allowed=tr("a table with at least one run"))
    if columns >= COLUMNS:
        from suanli.validation.specialised import predict_specialised_row

        return result_of([predict_specialised_row(record.cells) for record in records])
    if "metric" in columns and "value" in columns:
        from suanli.validation.serving import predict_inference_row

        return result_of([predict_inference_row(record.cells) for record in records])
    missing = [name for name in TRAINING_COLUMNS if name not in columns]
    if not columns.intersection(MEASURED_COLUMNS):
        missing.append(tr("one of {names}", names=", ".join(MEASURED_COLUMNS)))
    if missing:
        raise InputError.single(
            place=f"{file.name}:1",
            found=", ".join(sorted(columns)),
            allowed=tr("the columns of a table of runs; missing: {names}", names=", ".join(missing)),
        )
    from suanli.catalogue.kernels import load_kernels
    from suanli.catalogue.load import catalogue
    from suanli.validation.predict import training_rows
    from suanli.validation.reading import load_reading

    return result_of(*training_rows(records, catalogue(), load_kernels(), own, load_reading()))
