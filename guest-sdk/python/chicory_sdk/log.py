"""Lines for the task's log, by functions of this module or by the standard `logging`."""

from . import host


def trace(message: str) -> None:
    """Writes a line with level trace."""
    host.current.write("trace", str(message))


def debug(message: str) -> None:
    """Writes a line with level debug."""
    host.current.write("debug", str(message))


def info(message: str) -> None:
    """Writes a line with level info."""
    host.current.write("info", str(message))


def warn(message: str) -> None:
    """Writes a line with level warn."""
    host.current.write("warn", str(message))


def error(message: str) -> None:
    """Writes a line with level error."""
    host.current.write("error", str(message))


def handler(level: int = 0):
    """A handler for `logging`: `logging.basicConfig(handlers=[log.handler()], level=logging.INFO)`."""
    import logging

    names = ((logging.ERROR, "error"), (logging.WARNING, "warn"), (logging.INFO, "info"),
             (logging.DEBUG, "debug"), (0, "trace"))

    class Handler(logging.Handler):
        """Passes records to the host."""

        def emit(self, record: logging.LogRecord) -> None:
            """One record."""
            name = next(name for floor, name in names if record.levelno >= floor)
            host.current.write(name, self.format(record))

    return Handler(level)
