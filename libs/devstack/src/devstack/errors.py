"""What can go wrong when a Kafka or a PostgreSQL is wanted."""


class DevstackError(Exception):
    """The base of every error of this package; its text is written for the person at the terminal."""


class UnavailableError(DevstackError):
    """This way to a server is not open on this machine; the next one is tried."""


class NotOursError(DevstackError):
    """The server was given by the environment, so it is not ours to kill or to start."""


class StartError(DevstackError):
    """A server was started and did not become ready; the text ends with the last lines of its log."""
