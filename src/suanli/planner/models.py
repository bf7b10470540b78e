"""The models that a scenario names: a config.json, a packaged name, or a config written in place."""

from __future__ import annotations

from suanli.domain.model import Model
from suanli.domain.scenario import ModelReference, Scenario
from suanli.foundation.errors import Fault, InputError
from suanli.parts.architectures.read import named_model, read_model, read_model_file


def read_models(scenario: Scenario) -> dict[str, Model]:
    """Read every workload's model, by workload id. Raises InputError with the faults of all of them."""
    models: dict[str, Model] = {}
    faults: list[Fault] = []
    for job in scenario.workloads:
        try:
            models[job.id] = read_reference(job.model)
        except InputError as error:
            faults += error.faults
    if faults:
        raise InputError(dict.fromkeys(faults))
    return models


def read_reference(reference: ModelReference) -> Model:
    """Read the model that a reference means."""
    if reference.path:
        return read_model_file(reference.path)
    if reference.config is not None:
        return read_model(reference.config, reference.name)
    return named_model(reference.name)
