"""Reads recipes of experiments from YAML, and reports every problem with its line and column.

A network in a recipe is a template: a scalar or key ``$layers`` is replaced by the parameter of
that name.  Everything else of it is the format of architecture files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias, TypeVar

from rfstudio.core.errors import RFStudioError
from rfstudio.core.initialisations import AS_TORCH, DEFAULT, initialisation
from rfstudio.core.network.architecture import Architecture
from rfstudio.formats.experiments.recipe import (
    COMPUTED,
    DEFAULT_COLUMNS,
    FIELD_ESTIMATORS,
    Chart,
    CurveChart,
    FieldItem,
    Item,
    PictureChart,
    Published,
    Recipe,
    TrainingItem,
    Value,
)
from rfstudio.formats.files import is_file, is_there
from rfstudio.formats.networks.bounded_yaml import (
    Listing,
    Mapping,
    Mark,
    Node,
    Problems,
    Scalar,
    parse,
)
from rfstudio.formats.networks.presets import open_network
from rfstudio.formats.networks.wording import rendered, short, suggestion
from rfstudio.formats.networks.yaml_reader import network_of

FORMAT = 1
"""The version of the format that is read."""

MAX_ITEMS = 2000

_TOP = ("format", "title", "description", "reference", "networks", "rows", "columns", "charts")
_ROW = (
    *("series", "network", "input_size", "with", "each", "layers", "train"),
    *("estimator", "weights", "init", "samples", "images", "attention"),
)
_TRAIN = (
    *("distance", "data", "layer", "steps", "batch", "rate", "film", "init"),
    *("teacher", "compare", "temperature", "shortcut"),
)
_CHART = (
    *("x", "y", "title", "log", "theory", "series", "published"),
    *("pictures", "label", "one_scale"),
)
_PUBLISHED = ("label", "exponent")

_MODELS = (".onnx", ".pt2")

Opening: TypeAlias = Callable[[str, "tuple[int, ...] | None"], Architecture]
"""Returns a network that is no file of this program, by its name and the size of its images."""

Kind = TypeVar("Kind", str, int, float, bool)

_KINDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def read_recipe(
    data: str | bytes, name: str, path: str = "<text>", *, opening: Opening | None = None
) -> Recipe:
    """Return the experiment that a recipe describes.

    Parameters
    ----------
    data
        The file's content; it may come from anywhere.
    name
        By which the experiment is run.
    path
        The file's name, for the problems; networks of other files are looked for in its folder.
    opening
        Imports models, also by running code; None: a recipe that names one is refused.

    Raises
    ------
    FormatError
        With all problems of the file, in reading order.
    """
    problems = Problems(path)
    root = parse(data, problems)
    text = data.encode() if isinstance(data, str) else data
    digest = hashlib.sha256(text).hexdigest()[:16]
    recipe = _Reader(problems, Path(path).parent, opening).recipe(root, name, digest)
    problems.raise_if_any()
    return recipe


class _Reader:
    """Reads the parts of one recipe."""

    def __init__(self, problems: Problems, folder: Path, opening: Opening | None) -> None:
        self._problems = problems
        self._folder = folder
        self._opening = opening
        self._templates: dict[str, Node] = {}
        self._networks: dict[str, Architecture] = {}
        self._runs_code = False

    def recipe(self, root: Node, name: str, digest: str) -> Recipe:
        fields = self._fields(root, "a recipe", _TOP, ("format", "title", "rows"))
        if "format" in fields and self._value(fields["format"], int, "format", 0) > FORMAT:
            raise self._problems.stop(
                fields["format"].mark,
                f"the recipe is newer than this program reads ({FORMAT}); update RF Studio",
            )
        if "networks" in fields:
            self._templates = self._fields(fields["networks"], "networks")
        items: list[Item] = []
        for row in self._list(fields.get("rows"), "rows"):
            items += self._row(row)
            if len(items) > MAX_ITEMS:
                raise self._problems.stop(row.mark, f"more than {MAX_ITEMS} rows")
        self._check_teachers(items, root.mark)
        columns = self._words(fields.get("columns"), "columns")
        return Recipe(
            name=name,
            items=tuple(items),
            charts=tuple(map(self._chart, self._list(fields.get("charts"), "charts"))),
            digest=digest,
            title=self._word(fields.get("title"), "title"),
            description=self._word(fields.get("description"), "description"),
            reference=self._word(fields.get("reference"), "reference"),
            columns=columns or DEFAULT_COLUMNS,
            runs_code=self._runs_code,
        )

    # --- rows ---------------------------------------------------------------------------------

    def _row(self, node: Node) -> Iterator[Item]:
        fields = self._fields(node, "a row", _ROW, ("series", "network"))
        series = self._word(fields.get("series"), "series")
        constant = self._parameters(fields.get("with"))
        sets = [self._parameters(x) for x in self._list(fields.get("each"), "each")]
        for each in sets or [{}]:
            parameters = constant | each
            size = self._size(fields.get("input_size"))
            network = self._network(fields.get("network"), parameters, node.mark, size)
            if network is None:
                return
            if "train" in fields:
                yield self._training(fields["train"], series, network, parameters)
                continue
            estimator = self._word(fields.get("estimator"), "estimator") or "expected"
            if estimator not in FIELD_ESTIMATORS:
                near = suggestion(estimator, FIELD_ESTIMATORS)
                known = near or f"; they are {', '.join(FIELD_ESTIMATORS)}"
                mark = fields["estimator"].mark
                self._problems.add(mark, f"there is no estimator '{short(estimator)}'{known}")
            weights = self._word(fields.get("weights"), "weights") or "random"
            if weights not in ("random", "uniform", "model"):
                words = "random, uniform, model or a file"
                weights = str(self._beside(fields["weights"], weights, words))
            images = None
            if "images" in fields:
                word = self._word(fields["images"], "images")
                images = self._beside(fields["images"], word, "a file or folder")
            is_fixed = weights not in ("random", "uniform")
            if (is_fixed or images is not None) and estimator in COMPUTED:
                mark = fields["weights" if is_fixed else "images"].mark
                self._problems.add(
                    mark, f"'{estimator}' is of random weights and noise; measure with energy"
                )
            attention = "attention" in fields and self._value(
                fields["attention"], bool, "attention", default=False
            )
            init = self._init(fields.get("init"), parameters)
            samples = self._number(fields, "samples", 1)
            if images is not None and "samples" not in fields:
                samples = 0
            for layer in self._words(fields.get("layers"), "layers") or ("",):
                yield FieldItem(
                    series=series,
                    network=network,
                    parameters=parameters | ({"layer": layer} if layer else {}),
                    layer=layer,
                    estimator=estimator,
                    weights=weights,
                    init=init,
                    samples=samples,
                    images=images,
                    attention=attention,
                )

    def _beside(self, node: Node, word: str, what: str) -> Path:
        """Return a path that is given relative to the folder of the recipe."""
        path = self._folder / word
        if not is_there(path):
            name = "weights" if "random" in what else "images"
            self._problems.add(node.mark, f"{name}: there is no '{short(word)}'; give {what}")
        return path

    def _init(self, node: Node | None, parameters: dict[str, Value], default: str = DEFAULT) -> str:
        """Return the initialisation of a row, which may be a parameter of the row."""
        if node is None:
            return default
        if isinstance(node, Scalar):
            node = self._scalar(node, parameters, node.mark)
        word = self._word(node, "init") or default
        if word.strip().lower() == default:
            return default
        try:
            return initialisation(word).text
        except RFStudioError as error:
            self._problems.add(node.mark, str(error))
        return default

    def _training(
        self, node: Node, series: str, network: Architecture, parameters: dict[str, Value]
    ) -> TrainingItem:
        fields = self._fields(node, "train", _TRAIN)
        if ("distance" in fields) == ("data" in fields):
            text = "train needs the distance of the ring, or data: a folder of images"
            self._problems.add(node.mark, f"{text}; not both" if "data" in fields else text)
        data = self._word(fields.get("data"), "data")
        film = [self._value(x, int, "film", 0) for x in self._list(fields.get("film"), "film")]
        steps = self._number(fields, "steps", 400)
        return TrainingItem(
            series=series,
            network=network,
            parameters=parameters,
            distance=self._real(fields, "distance", 3.0),
            data=self._folder / Path(data).expanduser() if data else None,
            layer=self._word(fields.get("layer"), "layer"),
            steps=steps,
            batch=self._number(fields, "batch", 16),
            rate=self._real(fields, "rate", 4e-3),
            film=tuple(sorted({0, steps, *(x for x in film if 0 <= x <= steps)})),
            init=self._init(fields.get("init"), parameters, AS_TORCH),
            teacher=self._word(fields.get("teacher"), "teacher"),
            compare=self._word(fields.get("compare") or fields.get("teacher"), "compare"),
            temperature=self._real(fields, "temperature", 2.0),
            shortcut=self._real(fields, "shortcut", 0.0, least=0.0),
        )

    def _check_teachers(self, items: Sequence[Item], mark: Mark) -> None:
        before: set[str] = set()
        for item in items:
            if not isinstance(item, TrainingItem):
                continue
            for other in (item.teacher, item.compare):
                if other and other not in before:
                    text = f"no row before '{short(item.series)}' trains '{short(other)}'"
                    self._problems.add(mark, text)
            before.add(item.series)

    def _parameters(self, node: Node | None) -> dict[str, Value]:
        if node is None:
            return {}
        found: dict[str, Value] = {}
        for name, value in self._fields(node, "the parameters").items():
            if isinstance(value, Scalar) and isinstance(value.value, str | int | float):
                found[name] = value.value
            else:
                text = f"the parameter '{short(name)}' must be a word or a number"
                self._problems.add(value.mark, f"{text}, not {rendered(value)}")
        return found

    def _size(self, node: Node | None) -> tuple[int, ...] | None:
        """Return the size of the images that a model is imported for; None: it is not given."""
        sides = [self._value(x, int, "input_size", 1) for x in self._list(node, "input_size")]
        if node is not None and (not 1 <= len(sides) <= 3 or min(sides) < 1):
            self._problems.add(node.mark, "input_size must be a size along each axis: [224, 224]")
        return tuple(sides) or None

    def _opened(self, name: str, size: tuple[int, ...] | None) -> Architecture:
        """Return the network of a file, a preset or a model."""
        file, colon, _ = name.partition(":")
        beside = self._folder / (name if Path(name).suffix in _MODELS else file)
        if Path(name).suffix not in _MODELS and not colon:
            return open_network(beside if is_file(beside) else name)
        if self._opening is None:
            raise RFStudioError(
                f"'{short(name)}' is a model, which is imported on the command line: "
                "rfstudio experiment FILE, with --trust if it is code"
            )
        self._runs_code = self._runs_code or bool(colon)
        if is_file(beside):
            name = f"{beside}{name[len(file) :]}" if colon else str(beside)
        return self._opening(name, size)

    def _network(
        self,
        node: Node | None,
        parameters: dict[str, Value],
        mark: Mark,
        size: tuple[int, ...] | None = None,
    ) -> Architecture | None:
        if node is None:
            return None
        name = self._word(node, "network")
        key = f"{name} {size} {sorted(parameters.items())}"
        if key not in self._networks:
            if name in self._templates:
                filled = self._filled(self._templates[name], parameters, mark)
                network = network_of(filled, self._problems)
            else:
                try:
                    network = self._opened(name, size)
                except RFStudioError as error:
                    self._problems.add(node.mark, str(error).partition("\n")[0])
            if self._problems:
                return None
            self._networks[key] = network
        return self._networks[key]

    def _filled(self, node: Node, parameters: dict[str, Value], mark: Mark) -> Node:
        """Return a template with the parameters in place of words that begin with $."""
        match node:
            case Listing(place, items):
                return Listing(place, tuple(self._filled(x, parameters, mark) for x in items))
            case Mapping(place, entries):
                pairs = []
                for key, value in entries:
                    word = self._scalar(key, parameters, mark)
                    pairs.append((word, self._filled(value, parameters, mark)))
                return Mapping(place, tuple(pairs))
            case Scalar():
                return self._scalar(node, parameters, mark)

    def _scalar(self, node: Scalar, parameters: dict[str, Value], mark: Mark) -> Scalar:
        if not node.text.startswith("$"):
            return node
        name = node.text[1:]
        if name not in parameters:
            near = suggestion(name, parameters)
            text = f"the row gives no '{short(name)}', which line {node.mark.line} takes"
            self._problems.add(mark, f"{text}{near}")
            return node
        value = parameters[name]
        return Scalar(node.mark, value, str(value))

    # --- charts -------------------------------------------------------------------------------

    def _chart(self, node: Node) -> Chart:
        fields = self._fields(node, "a chart", _CHART)
        title = self._word(fields.get("title"), "title")
        series = self._words(fields.get("series"), "series")
        if "pictures" in fields or not {"x", "y"} <= fields.keys():
            if "pictures" not in fields:
                self._problems.add(node.mark, "a chart needs x and y, or pictures: true")
            label = self._word(fields.get("label"), "label")
            one_scale = "one_scale" in fields and self._value(
                fields["one_scale"], bool, "one_scale", default=False
            )
            return PictureChart(title=title, label=label, series=series, one_scale=one_scale)
        published = []
        for entry in self._list(fields.get("published"), "published"):
            parts = self._fields(entry, "published", _PUBLISHED, _PUBLISHED)
            exponent = self._real(parts, "exponent", 1.0, least=-100.0)
            label = self._word(parts.get("label"), "label")
            published.append(Published(label=label, exponent=exponent))
        return CurveChart(
            x=self._word(fields["x"], "x"),
            y=self._word(fields["y"], "y"),
            title=title,
            log="log" in fields and self._value(fields["log"], bool, "log", default=False),
            series=series,
            published=tuple(published),
            theory="theory" in fields
            and self._value(fields["theory"], bool, "theory", default=False),
        )

    # --- values -------------------------------------------------------------------------------

    def _fields(
        self,
        node: Node,
        what: str,
        known: Sequence[str] | None = None,
        required: Sequence[str] = (),
    ) -> dict[str, Node]:
        if not isinstance(node, Mapping):
            self._problems.add(node.mark, f"{what} must be a mapping, not {rendered(node)}")
            return {}
        fields = {key.text: value for key, value in node.entries}
        for key, _ in node.entries:
            if known is not None and key.text not in known:
                near = suggestion(key.text, known) or f"; it has {', '.join(known)}"
                self._problems.add(key.mark, f"{what} has no '{short(key.text)}'{near}")
        for name in required:
            if name not in fields:
                self._problems.add(node.mark, f"{what} needs {name}")
        return fields

    def _list(self, node: Node | None, what: str) -> list[Node]:
        if node is None:
            return []
        if not isinstance(node, Listing):
            self._problems.add(node.mark, f"{what} must be a list, not {rendered(node)}")
            return []
        return list(node.items)

    def _words(self, node: Node | None, what: str) -> tuple[str, ...]:
        return tuple(self._word(x, what) for x in self._list(node, what))

    def _word(self, node: Node | None, what: str) -> str:
        return "" if node is None else self._value(node, str, what, "")

    def _number(self, fields: dict[str, Node], name: str, default: int) -> int:
        value = self._value(fields[name], int, name, default) if name in fields else default
        if value < 1 or value > 10**6:
            self._problems.add(fields[name].mark, f"{name} must be from 1 to 1,000,000")
        return value

    def _real(
        self, fields: dict[str, Node], name: str, default: float, least: float = 1e-9
    ) -> float:
        value = self._value(fields[name], float, name, default) if name in fields else default
        if not least <= value <= 10**6:
            self._problems.add(fields[name].mark, f"{name} must be from {least:g} to 1,000,000")
        return value

    def _value(self, node: Node, kind: type[Kind], what: str, default: Kind) -> Kind:
        """Return the value of a scalar; the default, after noting the problem, if it is another."""
        value = node.value if isinstance(node, Scalar) else None
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is kind:
            return value
        name = _KINDS[kind]
        self._problems.add(node.mark, f"{what} must be {name}, not {rendered(node)}")
        return default
