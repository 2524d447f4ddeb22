"""What can go wrong while measuring, in words for the user."""

from rfstudio.core.errors import RFStudioError


class MeasurementError(RFStudioError):
    """A measurement cannot be made, or its numbers mean nothing."""


class DeviceError(RFStudioError):
    """A device was asked for that is not there."""


class WeightsError(RFStudioError):
    """A file of weights cannot be read, or does not fit the network."""


class TorchMissingError(RFStudioError):
    """torch is not installed, or its installation is broken."""
