"""The request bodies that the official SDKs declare, as trees that can be walked.

A tree is made of `Node`s. Classes that stand on their own path a second time are not entered again, so
that every walk ends.
"""

import collections.abc
import enum
import inspect
import re
import typing
from dataclasses import dataclass, field

import pydantic
import typing_extensions
from anthropic.types.beta.message_create_params import MessageCreateParamsNonStreaming as Messages
from google.genai import models, types
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming as Chat
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming as Responses


@dataclass
class Node:
    """What a value may be. `kind` is one of: any, text, whole, number, flag, word, list, map, object,
    either."""

    kind: str
    name: str = ""
    words: tuple = ()
    of: list = field(default_factory=list)
    cls: object = None

    def members(self):
        """The members of an object: name to its node and whether it is required."""
        found = MEMBERS.get(self.name)
        if found is None:
            found = MEMBERS[self.name] = members_of(self.cls)
        return found

    def tag(self):
        """What tells this object from others of a union: members that have one word only."""
        return {name: node.words[0] for name, (node, _) in self.members().items() if node.kind == "word" and len(node.words) == 1}


MEMBERS = {}
SCALARS = {str: "text", bytes: "text", int: "whole", float: "number", bool: "flag"}


def members_of(cls):
    if typing_extensions.is_typeddict(cls):
        hints = typing_extensions.get_type_hints(cls, include_extras=True)
        found = {}
        for name, hint in hints.items():
            alias = next((meta.alias for meta in getattr(hint, "__metadata__", ()) if getattr(meta, "alias", None)), name)
            required = typing_extensions.Required in origins(hint) or name in cls.__required_keys__
            found[alias] = (node(hint), required)
        return found
    # Google's have every member optional; what the service insists on is not in its types.
    return {f.alias or name: (node(f.annotation), f.is_required()) for name, f in cls.model_fields.items()}


def origins(hint):
    found = []
    while (origin := typing_extensions.get_origin(hint)) in (typing_extensions.Required, typing_extensions.NotRequired, typing_extensions.Annotated):
        found.append(origin)
        hint = typing_extensions.get_args(hint)[0]
    return found


def node(hint):
    """The node of a type annotation."""
    origin, args = typing_extensions.get_origin(hint), typing_extensions.get_args(hint)
    if origin in (typing_extensions.Required, typing_extensions.NotRequired, typing_extensions.Annotated):
        return node(args[0])
    if hint in SCALARS:
        return Node(SCALARS[hint])
    if origin is typing_extensions.Literal:
        return Node("word", words=args)
    if origin is typing.Union or origin.__class__.__name__ == "UnionType" or type(hint).__name__ == "UnionType":
        return either([node(arg) for arg in args if arg is not type(None)])
    if origin in (list, collections.abc.Iterable, collections.abc.Sequence, tuple) or hint is list:
        return Node("list", of=[node(args[0]) if args else Node("any")])
    if origin in (dict, collections.abc.Mapping):
        value = node(args[1]) if len(args) == 2 else Node("any")
        return Node("any" if value.kind == "any" else "map", of=[value])
    if inspect.isclass(hint) and issubclass(hint, enum.Enum):
        # An open vocabulary, but these are the words that are known.
        return Node("word", words=tuple(it.value for it in hint if "UNSPECIFIED" not in str(it.value)))
    if typing_extensions.is_typeddict(hint) or (inspect.isclass(hint) and issubclass(hint, pydantic.BaseModel)):
        return Node("object", name=f"{hint.__module__}.{hint.__name__}", cls=hint)
    return Node("any")


def either(nodes):
    flat = []
    for one in nodes:
        flat.extend(one.of if one.kind == "either" else [one])
    words = [one for one in flat if one.kind == "word"]
    if any(one.kind == "text" for one in flat):
        # `str | Literal[...]` takes any text.
        flat = [one for one in flat if one.kind != "word"]
    elif len(words) > 1:
        flat = [one for one in flat if one.kind != "word"] + [Node("word", words=sum((one.words for one in words), ()))]
    unique = {(one.kind, one.name, one.words, one.of[0].name if one.of else ""): one for one in flat}
    flat = list(unique.values())
    return flat[0] if len(flat) == 1 else Node("either", of=flat)


def gemini():
    """The body that google-genai makes: it moves some members of its config to the top."""
    top, inner = {}, {}
    for function in (models._GenerateContentConfig_to_mldev, models._GenerateContentConfig_to_vertex):
        source = inspect.getsource(function)
        for place, found in (("parent_object", top), ("to_object", inner)):
            for name in re.findall(rf"setv\(\s*{place},\s*\['(\w+)'", source):
                found[name] = (member_of_config(name), False)
    top["contents"] = (Node("list", of=[node(types.Content)]), True)
    top["systemInstruction"] = (node(types.Content), False)
    top["tools"] = (Node("list", of=[node(types.Tool)]), False)
    inner = {**node(types.GenerationConfig).members(), **inner}
    inner["responseSchema"] = (node(types.Schema), False)
    inner["speechConfig"] = (node(types.SpeechConfig), False)
    top["generationConfig"] = (made("GenerationConfig", inner), False)
    return made("GenerateContentRequest", top)


def member_of_config(name):
    config = {f.alias or key: f.annotation for key, f in types.GenerateContentConfig.model_fields.items()}
    return node(config[name]) if name in config else Node("any")


def made(name, members):
    MEMBERS[name] = members
    return Node("object", name=name)


def messages():
    """The beta body has every member of the plain one. Three of its parameters are headers."""
    root = node(Messages)
    for header in ("betas", "user_profile_id", "workspace_id"):
        root.members().pop(header)
    root.members()["stream"] = (Node("flag"), False)
    return root


def openai(cls):
    root = node(cls)
    root.members()["stream"] = (Node("flag"), False)
    root.members()["model"] = (Node("text"), True)
    return root


ROOTS = {"openai-chat": openai(Chat), "openai-responses": openai(Responses), "anthropic": messages(), "gemini": gemini()}


def flaws(node, value, path=""):
    """What the SDK's own types object to in `value`."""
    kind = node.kind
    if kind == "any" or value is None:
        return []
    if kind == "either" and any(one.kind == "any" for one in node.of):
        return []
    if kind == "either":
        tries = [flaws(one, value, path) for one in candidates(node, value)]
        return min(tries, key=len) if tries else [f"{path}: none of {[one.name or one.kind for one in node.of]}"]
    if kind == "list":
        if not isinstance(value, list):
            return [f"{path}: no list"]
        return [flaw for at, item in enumerate(value) for flaw in flaws(node.of[0], item, f"{path}/{at}")]
    if kind == "map":
        if not isinstance(value, dict):
            return [f"{path}: no object"]
        return [flaw for key, item in value.items() for flaw in flaws(node.of[0], item, f"{path}/{key}")]
    if kind == "object":
        return object_flaws(node, value, path)
    fits = {
        "text": lambda: isinstance(value, str),
        "whole": lambda: isinstance(value, int) and not isinstance(value, bool),
        "number": lambda: isinstance(value, (int, float)) and not isinstance(value, bool),
        "flag": lambda: isinstance(value, bool),
        "word": lambda: value in node.words,
    }[kind]()
    return [] if fits else [f"{path}: {value!r} is no {kind} {node.words or ''}"]


def candidates(node, value):
    """The alternatives that `value` can mean: an object with a tag means the one that has it."""
    fitting = [one for one in node.of if json_kind(one, value)]
    if isinstance(value, dict):
        tagged = [one for one in fitting if one.kind == "object" and one.tag() and all(value.get(k) == v for k, v in one.tag().items())]
        return tagged or fitting
    return fitting


def json_kind(node, value):
    wanted = {"list": list, "map": dict, "object": dict, "text": str, "word": (str, int), "flag": bool, "whole": int, "number": (int, float)}
    return node.kind == "any" or isinstance(value, wanted[node.kind])


def object_flaws(node, value, path):
    if not isinstance(value, dict):
        return [f"{path}: no object"]
    members, found = node.members(), []
    for name, (_, required) in members.items():
        if required and name not in value:
            found.append(f"{path}: {name} is missing")
    for key, item in value.items():
        # Google's services take the names of their protocol buffers too, and its SDK sends some of them.
        google = node.name.startswith("google") and key not in members
        name = re.sub(r"_(\w)", lambda it: it[1].upper(), key) if google else key
        if name not in members:
            found.append(f"{path}/{name}: not in {node.name.rsplit('.', 1)[-1]}")
        else:
            found += flaws(members[name][0], item, f"{path}/{name}")
    return found
