"""What can stop a release on its way; every message is one sentence for the person at the terminal."""

from __future__ import annotations


class ImporterError(Exception):
    """A release that cannot be added, promoted, rolled back or removed."""


class InvalidModelError(ImporterError):
    """The ONNX file is none, or not one that can be served as a classifier."""


class InvalidLabelsError(ImporterError):
    """The labels file does not name the classes of the model."""


class InvalidOptionError(ImporterError):
    """An option contradicts the model or the repository."""


class RepositoryError(ImporterError):
    """The model repository or its `releases.json` is missing, damaged, or held by another command."""


class UnknownReleaseError(ImporterError):
    """No release of that name is registered."""


class ServerError(ImporterError):
    """Triton refused a release, or could not be asked."""
