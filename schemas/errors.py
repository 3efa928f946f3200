"""The error of declarations that cannot be read."""


class ProfileError(ValueError):
    """A courier's profile cannot be read.

    ``message`` names file, line and key and says why, ``hint`` what to do.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()
