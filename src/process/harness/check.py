"""What can be told of a script without running it: whether it compiles, its `main`, and the modules that it imports."""

import builtins

__builtins__ = dict(vars(builtins))

import _ast
import importlib.machinery
import sys

import _harness_result as answer
import _harness_errors as telling

# So much is told: imports, parameters, problems, and characters of a piece of the script.
MAX_IMPORTS = 256
MAX_PARAMETERS = 100
MAX_PROBLEMS = 100
MAX_TEXT = 200

IMPORT_ERRORS = ("ImportError", "ModuleNotFoundError", "Exception", "BaseException")

FINDERS = (importlib.machinery.BuiltinImporter, importlib.machinery.FrozenImporter, importlib.machinery.PathFinder)

# What has been looked for before files could not be read any more.
_found = {}


def find(names):
    for name in names:
        _found[name] = _exists(name)


def look(source, names):
    try:
        tree = compile(source, answer.FILE, "exec", flags=_ast.PyCF_ONLY_AST, dont_inherit=True)
        # The parser does not find all that is wrong.
        compile(tree, answer.FILE, "exec", dont_inherit=True)
    except SyntaxError as error:
        return _refused(_fault(error, source))
    except (MemoryError, RecursionError) as error:
        if isinstance(error, MemoryError) and "stack" not in str(error):
            raise
        return _refused({"type": "SyntaxError", "message": "the script is nested too deeply"})
    main, problem = _main(tree, _Text(source))
    imports = _imports(tree, names)
    problems = [problem] if problem else []
    problems += [_missing(found["module"]) for found in imports if not (found["available"] or found["optional"])]
    told = {"ok": not problems, "imports": imports, "problems": problems[:MAX_PROBLEMS]}
    if main is not None:
        told["main"] = main
    return answer.encode_check(told)


def _refused(fault):
    return answer.encode_check({"ok": False, "imports": [], "error": fault, "problems": []})


def _missing(name):
    return "relative imports do not work in a script" if name.startswith(".") else telling.missing_module(name)


def _fault(error, source):
    text = error.text.rstrip("\n")[:MAX_TEXT] if error.text else None
    fault = {"type": type(error).__name__, "message": answer.cut(error.msg), "line": answer.line_of(error, source)}
    # Python counts columns from 1, and says 0 or less where it does not know.
    fault["column"] = error.offset if error.offset and error.offset > 0 else None
    fault["text"] = text
    return {key: value for key, value in fault.items() if value is not None}


class _Text:
    """The script by its lines, as the positions of its syntax tree count them: columns are bytes of UTF-8."""

    def __init__(self, source):
        self.lines = [line.encode("utf-8", "replace") for line in source.replace("\r\n", "\n").replace("\r", "\n").split("\n")]

    def of(self, node):
        if node is None:
            return None
        first, last = node.lineno - 1, node.end_lineno - 1
        if first == last:
            text = self.lines[first][node.col_offset : node.end_col_offset]
        else:
            between = self.lines[first + 1 : last]
            text = b"\n".join([self.lines[first][node.col_offset :], *between, self.lines[last][: node.end_col_offset]])
        text = text.decode("utf-8", "replace")
        return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}..."


FUNCTIONS = (_ast.FunctionDef, _ast.AsyncFunctionDef)
SCOPES = (*FUNCTIONS, _ast.ClassDef, _ast.Lambda)
NO_FUNCTIONS = (_ast.Constant, _ast.JoinedStr, _ast.List, _ast.Tuple, _ast.Set, _ast.Dict, _ast.ListComp, _ast.DictComp)


def _main(tree, text):
    """What `main` is in the end, and what is wrong with it."""
    found = None
    for statement in tree.body:
        for node in _walk(statement, SCOPES):
            if isinstance(node, _ast.Name) and isinstance(node.ctx, _ast.Del) and node.id == "main":
                found = None
            elif "main" in _named_by(node):
                found = node if isinstance(node, SCOPES) else statement
    if found is None:
        return None, "script must define a main() function"
    value = found.value if isinstance(found, (_ast.Assign, _ast.AnnAssign)) else None
    if isinstance(value, NO_FUNCTIONS):
        return None, "main must be a function"
    told = {"line": found.lineno, "is_async": isinstance(found, _ast.AsyncFunctionDef), "parameters": []}
    function = found if isinstance(found, FUNCTIONS) else value
    if isinstance(function, (*FUNCTIONS, _ast.Lambda)):
        told["parameters"] = _parameters(function.args, text)[:MAX_PARAMETERS]
    for parameter in told["parameters"]:
        if parameter["kind"] == "positional_only" and parameter["required"]:
            return told, f"main() cannot be given its parameter {parameter['name']!r}, which takes no keyword"
    return told, None


def _named_by(node):
    """The names to which it gives a value."""
    if isinstance(node, _ast.Name):
        return [node.id] if isinstance(node.ctx, _ast.Store) else []
    if isinstance(node, (_ast.Import, _ast.ImportFrom)):
        return [alias.asname or alias.name.partition(".")[0] for alias in node.names]
    if isinstance(node, (*FUNCTIONS, _ast.ClassDef, _ast.ExceptHandler, _ast.MatchAs, _ast.MatchStar)):
        return [node.name]
    return []


def _parameters(arguments, text):
    plain = [(one, "positional_only") for one in arguments.posonlyargs]
    plain += [(one, "positional_or_keyword") for one in arguments.args]
    defaults = [None] * (len(plain) - len(arguments.defaults)) + arguments.defaults
    told = [_parameter(one, kind, default, text) for (one, kind), default in zip(plain, defaults)]
    if arguments.vararg:
        told.append(_parameter(arguments.vararg, "var_positional", None, text))
    told += [
        _parameter(one, "keyword_only", default, text) for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults)
    ]
    if arguments.kwarg:
        told.append(_parameter(arguments.kwarg, "var_keyword", None, text))
    return told


def _parameter(one, kind, default, text):
    told = {"name": one.arg[:MAX_TEXT], "kind": kind, "required": default is None and not kind.startswith("var_")}
    for key, node in (("annotation", one.annotation), ("default", default)):
        if node is not None:
            told[key] = text.of(node)
    return told


def _imports(tree, names):
    found, optional = {}, _optional(tree)
    for node in _walk(tree, ()):
        if isinstance(node, _ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, _ast.ImportFrom):
            modules = ["." * node.level + (node.module or "")]
        else:
            continue
        for name in modules:
            line, was_optional = found.get(name, (node.lineno, True))
            found[name] = min(line, node.lineno), was_optional and id(node) in optional
    imports = sorted((line, name, is_optional) for name, (line, is_optional) in found.items())[:MAX_IMPORTS]
    return [_import(name, line, is_optional, names) for line, name, is_optional in imports]


def _optional(tree):
    """The imports that a script does without, if need be: what it tries, and what is for type checkers only."""
    optional = set()
    for node in _walk(tree, ()):
        if isinstance(node, (_ast.Try, _ast.TryStar)) and any(map(_catches, node.handlers)):
            statements = node.body
        elif isinstance(node, _ast.If) and "TYPE_CHECKING" in (getattr(node.test, "id", ""), getattr(node.test, "attr", "")):
            statements = node.body
        else:
            continue
        for statement in statements:
            optional.update(id(inner) for inner in _walk(statement, ()))
    return optional


def _catches(handler):
    kinds = getattr(handler.type, "elts", [handler.type])
    return any(kind is None or getattr(kind, "id", "") in IMPORT_ERRORS for kind in kinds)


def _import(name, line, is_optional, names):
    top = name.partition(".")[0]
    comes_along = f"{top}.py" in names or any(file.startswith(f"{top}/") for file in names)
    available = bool(top) and (comes_along or (_found[name] if name in _found else _exists(name)))
    told = {"module": name[:MAX_TEXT], "line": line, "available": available, "optional": is_optional}
    similar = [] if available or not top else telling.nearest(top)
    if similar:
        told["similar"] = similar
    return told


def _exists(name):
    """Looks for a module without importing it or what it lies in."""
    if name in sys.modules:
        return True
    path, parts = None, name.split(".")
    for end in range(1, len(parts) + 1):
        spec = _find(".".join(parts[:end]), path)
        if spec is None:
            return False
        path = spec.submodule_search_locations
        if path is None and end < len(parts):
            return False
    return True


def _find(name, path):
    for finder in FINDERS:
        try:
            spec = finder.find_spec(name, path)
        except (ImportError, OSError, ValueError):
            continue
        if spec is not None:
            return spec
    return None


def _walk(tree, closed):
    """All nodes in it, in the order of the text, without recursion. What is inside of nodes of the closed kinds is passed over."""
    pending = [tree]
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, closed):
            continue
        inner = []
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, list):
                inner += [item for item in value if isinstance(item, _ast.AST)]
            elif isinstance(value, _ast.AST):
                inner.append(value)
        pending += inner[::-1]
