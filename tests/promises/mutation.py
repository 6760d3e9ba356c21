"""Breaking source code on purpose: a mutation of its syntax tree, which a change of its layout does not disturb."""

import ast
from collections.abc import Callable

# Takes the mutation's new code to the place where the old is.
Place = Callable[[list[ast.stmt]], None]


def mutated(source: str, scope: str, old: str, new: str) -> str:
    """Return source code in which, within `scope` (`function` or `Class.method`; empty: anywhere), `old` is `new`.

    Both are an expression, or statements; `new` may be empty. `{key: value}` is also an entry of a larger dict. Raises
    ValueError if `old` is not there just once.
    """
    tree: ast.AST = ast.parse(source)
    before, after = ast.parse(old).body, ast.parse(new).body
    places = matches(_inside(tree, scope), before, is_value=_is_expression(before) and _is_expression(after))
    if len(places) != 1:
        raise ValueError(f"{scope or 'the module'}: {len(places)} times instead of once: {old}")
    places[0](after)
    return ast.unparse(ast.fix_missing_locations(tree))


def matches(scope: ast.AST, before: list[ast.stmt], *, is_value: bool) -> list[Place]:
    """The places where an expression (`is_value`), or a run of statements, is like the given one."""
    wanted = [ast.dump(each) for each in (_values(before) if is_value else before)]
    found: list[Place] = []
    for node in ast.walk(scope):
        for index, entry in enumerate(_entries(node)) if is_value else ():
            if [ast.dump(entry)] == wanted and len(_entries(node)) > 1:
                found.append(_in_dict(node, index))
        for field, value in ast.iter_fields(node):
            if isinstance(value, list):
                for start in range(len(value) - len(wanted) + 1):
                    its = value[start : start + len(wanted)]
                    if all(isinstance(each, ast.AST) for each in its) and [ast.dump(each) for each in its] == wanted:
                        found.append(_in_list(value, start, len(wanted), is_value=is_value))
            elif is_value and isinstance(value, ast.expr) and [ast.dump(value)] == wanted:
                found.append(_in_field(node, field))
    return found


def _in_list(values: list[ast.AST], start: int, count: int, *, is_value: bool) -> Place:
    def put(new: list[ast.stmt]) -> None:
        statements = new or [ast.Pass()]
        values[start : start + count] = _values(new) if is_value else statements

    return put


def _in_dict(node: ast.AST, index: int) -> Place:
    def put(new: list[ast.stmt]) -> None:
        (entry,) = _values(new)
        assert isinstance(node, ast.Dict)
        assert isinstance(entry, ast.Dict)
        node.keys[index], node.values[index] = entry.keys[0], entry.values[0]

    return put


def _entries(node: ast.AST) -> list[ast.Dict]:
    """The entries of a dict, each as a dict of its own."""
    pairs = zip(node.keys, node.values, strict=True) if isinstance(node, ast.Dict) else ()
    return [ast.Dict(keys=[key], values=[value]) for key, value in pairs]


def _in_field(node: ast.AST, field: str) -> Place:
    return lambda new: setattr(node, field, _values(new)[0])


def _values(statements: list[ast.stmt]) -> list[ast.expr]:
    return [each.value for each in statements if isinstance(each, ast.Expr)]


def _is_expression(statements: list[ast.stmt]) -> bool:
    return len(statements) == 1 and isinstance(statements[0], ast.Expr)


def _inside(tree: ast.AST, scope: str) -> ast.AST:
    """The function or class of a dotted name."""
    for name in filter(None, scope.split(".")):
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        named = [each for each in ast.walk(tree) if isinstance(each, kinds) and each.name == name]
        if not named:
            raise ValueError(f"there is no {name} of {scope}")
        tree = named[0]
    return tree
