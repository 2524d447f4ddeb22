"""The errors of measuring, whose texts are for the user."""

from rfstudio.core.errors import RFStudioError


class MeasurementError(RFStudioError):
    """A measurement cannot be made, or its numbers mean nothing."""


class DeviceError(RFStudioError):
    """A requested device is not available."""


class WeightsError(RFStudioError):
    """A file of weights cannot be read, or does not fit the network."""


class TorchMissingError(RFStudioError):
    """torch is not installed, or its installation is broken."""
