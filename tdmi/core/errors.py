"""The exception for bad input."""


class UserError(Exception):
    """Bad input. The message is one line: file and place, what was found and expected, the cure.

    The command line prints it on standard error without a traceback, with exit status 2.
    """
