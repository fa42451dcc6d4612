"""How every command begins."""

import structlog

from gateway import logs
from gateway.settings import Settings, find_strangers


def prepare(**given: object) -> Settings:
    """The settings, what is given before what is set; logs as they say; a warning for each variable that nothing reads."""
    settings = Settings.load(**{name: value for name, value in given.items() if value is not None})
    logs.configure(settings.log_level, settings.log_format)
    for name in find_strangers():
        structlog.get_logger("gateway").warning("nothing reads this variable: see .env.example", variable=name)
    return settings
