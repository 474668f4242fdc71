"""What a user is told in one line."""


class LeukoscopeError(Exception):
    """Something the user can mend. The message names the thing, its value and what to do.

    Commands print it as one line on standard error and end with exit status 1.
    """
