"""The one exception that means: the input is wrong, and here is how to mend it."""


class UserError(Exception):
    """Bad input. The message is one line: file and place, what was found, what was expected, cure.

    The command line prints it on stderr without a traceback and leaves with exit status 2.
    """
