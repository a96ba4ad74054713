"""Imports point downwards only: each module knows those below it, and nothing above."""

import ast
from pathlib import Path

import crawler

# From the bottom to the top; a module may import those that stand in a row above its own in this list.
LAYERS = [
    ["__init__", "machine"],  # the first: the version; what else it names is loaded on first use
    [
        "errors",
        "urls",
        "addresses",
        "charset",
        "fingerprint",
        "languages",
        "reasons",
        "pace",
        "proxy",
        "framing",
        "tree",
    ],
    [
        "resolver",
        "credentials",
        "sections",
        "directives",
        "shapes",
        "elements",
        "results",
        "vocabulary",
        "recall",
        "workers",
    ],
    ["transport", "results", "vocabulary", "forms", "stages"],
    ["adapter", "wall", "sitemap"],
    ["fields", "robots", "page", "fetch", "query", "judgements"],
    ["feed", "probe", "traps", "filters", "matches", "ranking", "reading"],
    ["snippets", "pool", "readers"],
    ["config", "store", "store.fulltext", "store.owner"],
    ["store.migrations"],
    ["access", "outlinks", "store.schema", "store.sql"],
    ["store.rows", "store.hosts"],
    ["store.sqlite", "store.salvage", "frontier", "candidates", "story", "census"],
    ["report", "permit", "changes", "doctor", "typeahead", "paging", "excerpts"],
    ["visit", "hits"],
    ["pipeline", "remedy", "evaluation"],
    ["revisit", "plan"],
    ["console"],
    ["cards", "summaries", "views"],
    ["shell"],
    ["commands", "searching"],
    ["cli"],
    ["__main__"],
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
# One home for each library where that is natural.
HOMES = {
    "can_ada": {"urls"},
    "bs4": {"fields"},
    "soupsieve": {"fields"},
    "charset_normalizer": {"charset"},
    "msgspec": {"readers", "store.sqlite"},
    "click": {"cli", "commands", "searching", "shell"},
    "publicsuffixlist": {"urls"},
    "requests": {"adapter", "fetch"},
    "urllib3": {"adapter", "fetch", "framing"},
    "certifi": {"transport"},
    "selectolax": {"page", "sections", "tree"},
    "sqlite_utils": {"store.schema"},
    "Stemmer": {"languages"},
}
FOLDER = Path(crawler.__file__).parent


def modules() -> dict[str, ast.Module]:
    found = {}
    for path in sorted(FOLDER.rglob("*.py")):
        name = ".".join(path.relative_to(FOLDER).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = ast.parse(path.read_text())
    return found


def imported(tree: ast.Module) -> set[str]:
    """Absolute names of what a module imports, those inside functions included, those for type checkers not."""
    for_checkers = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    names: set[str] = set()
    for node in ast.walk(tree):
        if node in for_checkers:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def ours(name: str) -> str | None:
    """The module of ours that an imported name belongs to, None if it is none of ours."""
    if not name.startswith("crawler"):
        return None
    inner = name.removeprefix("crawler").lstrip(".")
    while inner and inner not in LEVEL:
        inner = inner.rpartition(".")[0]
    return inner or "__init__"


def test_every_module_has_its_layer() -> None:
    """A new module is placed before it is used."""
    assert set(modules()) == set(LEVEL)


def test_imports_point_downwards() -> None:
    """No module imports one of its own layer or above; a package's parts may import the package."""
    upwards = [
        f"{name} imports {target}"
        for name, tree in modules().items()
        for target in {ours(one) for one in imported(tree)} - {None, name}
        if target is not None and LEVEL[target] >= LEVEL[name] and name.rpartition(".")[0] != target
        and (name, target) != ("store", "store.sqlite")  # open_store chooses the implementation, when it is called
    ]  # fmt: skip
    assert upwards == []


def test_each_library_has_one_home() -> None:
    """A third-party library is imported by the one module that wraps it."""
    strays = [
        f"{name} imports {library}"
        for name, tree in modules().items()
        for library in {one.partition(".")[0] for one in imported(tree)} & set(HOMES)
        if name not in HOMES[library]
    ]
    assert strays == []


def test_no_module_has_outgrown_itself() -> None:
    """Files stay below 400 lines, classes below nine public methods."""
    for name, tree in modules().items():
        path = FOLDER / (name.replace(".", "/") + ".py")
        if not path.exists():
            path = FOLDER / name.replace(".", "/") / "__init__.py"
        assert len(path.read_text().splitlines()) <= 400, name
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                public = [
                    item.name
                    for item in node.body
                    if isinstance(item, ast.FunctionDef) and not item.name.startswith("_")
                ]
                assert len(public) <= 8, f"{name}.{node.name}: {public}"
