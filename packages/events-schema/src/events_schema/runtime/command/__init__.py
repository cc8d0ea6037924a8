"""What every events command shares: flags, environment variables, help, errors and exit codes."""

from events_schema.runtime.command.command import UNEXPECTED_EXIT_CODE, Command, Verb
from events_schema.runtime.command.flag import Flag
from events_schema.runtime.command.options import Option, options_of
from events_schema.runtime.command.parsing import read_settings
from events_schema.runtime.command.settings import CommandSettings

__all__ = [
    "UNEXPECTED_EXIT_CODE",
    "Command",
    "CommandSettings",
    "Flag",
    "Option",
    "Verb",
    "options_of",
    "read_settings",
]
