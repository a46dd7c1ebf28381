"""The configuration file: Radicale's, with our options declared."""

from __future__ import annotations

from pathlib import Path

from radicale import config as radicale_config

from radicale_onoffice import options

OURS = ("storage", "auth", "rights", "web")


class ConfigurationError(Exception):
    """The configuration file cannot be used; the text says why and what to do."""


def load_configuration(paths: str) -> options.Configuration:
    """Radicale's configuration with our options declared, from files separated by ``:``. Raises ConfigurationError."""
    for path in paths.split(":"):
        if not path.startswith("?") and not Path(path).expanduser().is_file():
            raise ConfigurationError(f"There is no configuration file {path}.")
    try:
        configuration = radicale_config.load(radicale_config.parse_compound_paths(paths))
        for section in OURS:
            wanted = f"radicale_onoffice.{section}"
            if configuration.get(section, "type") != wanted:
                raise ConfigurationError(f"The section [{section}] of {paths} needs `type = {wanted}`.")
        return options.declared(configuration)
    except (RuntimeError, ValueError) as error:
        raise ConfigurationError(f"The configuration {paths} cannot be used: {error}") from error
