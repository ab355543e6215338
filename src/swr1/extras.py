"""What to install when a package is missing that the core does without, in one line.

Which extra a package belongs to is read from swr1's own metadata: pyproject.toml declares it.
"""

import re
from importlib.metadata import PackageNotFoundError, requires

# Packages that are imported under another name than they are installed under.
_IMPORTED_AS = {"scikit-learn": "sklearn", "python-sat": "pysat", "pillow": "PIL"}
_REQUIREMENT = re.compile(r"""([\w.-]+)[^;]*(?:;.*?\bextra == ["']([\w-]+)["'])?""")


def packages() -> dict[str, str]:
    """Import name -> the extra it belongs to, "" for the core; the first that declares it."""
    extras: dict[str, str] = {}
    try:
        declared = requires("swr1") or []
    except PackageNotFoundError:  # run from a folder, not installed
        return extras
    for line in declared:
        match = _REQUIREMENT.match(line)
        if match and (name := match[1].lower()) != "swr1":
            extras.setdefault(_IMPORTED_AS.get(name, name).replace("-", "_"), match[2] or "")
    return extras


def advice(error: ImportError) -> str | None:
    """ "this needs torch: pip install 'swr1[train]'"; None where no package of ours is missing."""
    name = (error.name or "").partition(".")[0]
    known = packages()
    if not isinstance(error, ModuleNotFoundError) or name not in known:
        return None
    requirement = f"'swr1[{known[name]}]'" if known[name] else "swr1"
    return f"this needs {name}: pip install {requirement}"
