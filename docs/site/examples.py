"""For Griffe, which reads the docstrings: our `Example:` is its `Examples:`, whose code it shows as code."""

import re

import griffe


class Examples(griffe.Extension):
    """Spells the heading of examples as Griffe wants it."""

    def on_object(self, *, obj: griffe.Object, **_: object) -> None:
        """Change the docstring of a function, class, module or attribute."""
        if obj.docstring:
            obj.docstring.value = re.sub(r"^( *)Example:$", r"\1Examples:", obj.docstring.value, flags=re.MULTILINE)
