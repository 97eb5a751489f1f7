"""How the rules of appraisal say no: the scheme is wrong, or these inputs cannot be graded under it."""


class BadScheme(ValueError):
    """A scheme breaks a rule of schemes: `field` is the path inside the document (`sections[0].weight`), `rule` a fixed word."""

    def __init__(self, field: str, rule: str, message: str) -> None:
        super().__init__(f"{field}: {rule}: {message}")
        self.field = field
        self.rule = rule
        self.message = message


class NotGradable(ValueError):
    """These inputs have no grade under this scheme: `code` is a fixed word (`superior_missing`), `field` names the input."""

    def __init__(self, code: str, field: str, message: str) -> None:
        super().__init__(f"{field}: {code}: {message}")
        self.code = code
        self.field = field
        self.message = message
