"""onOffice contacts, tasks and appointments for Radicale."""

__version__ = "0.1.0"
