"""Lines for the task's log, by functions of this module or by the standard `logging`."""

from . import host


def trace(message: str) -> None:
    """A line that matters least."""
    host.current.write("trace", str(message))


def debug(message: str) -> None:
    """A line for finding faults."""
    host.current.write("debug", str(message))


def info(message: str) -> None:
    """A line worth knowing."""
    host.current.write("info", str(message))


def warn(message: str) -> None:
    """A line about something odd."""
    host.current.write("warn", str(message))


def error(message: str) -> None:
    """A line about something that went wrong."""
    host.current.write("error", str(message))


def handler(level: int = 0):
    """A handler for `logging`: `logging.basicConfig(handlers=[log.handler()], level=logging.INFO)`."""
    import logging

    names = ((logging.ERROR, "error"), (logging.WARNING, "warn"), (logging.INFO, "info"),
             (logging.DEBUG, "debug"), (0, "trace"))

    class Handler(logging.Handler):
        """Passes records on to the host."""

        def emit(self, record: logging.LogRecord) -> None:
            """One record."""
            name = next(name for floor, name in names if record.levelno >= floor)
            host.current.write(name, self.format(record))

    return Handler(level)
