"""Arrays that compiled code uses without counting who holds them; whoever handed them in keeps them alive.

numba counts the holders of an array each time it is read from a tuple or handed on. A step of an engine does that
hundreds of times, with arrays that all stay where they are until the play is over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import types
from numba.extending import intrinsic, models, register_model

Columns = TypeVar("Columns", bound=tuple[Any, ...])


class Uncounted(types.Array):
    """The type of an array whose holders are not counted; it is indexed, sliced and measured like any array."""

    def __init__(self, one: types.Array) -> None:
        name = f"uncounted {one.name}"
        super().__init__(one.dtype, one.ndim, one.layout, not one.mutable, name, one.aligned)

    def copy(
        self, dtype: Any = None, ndim: int | None = None, layout: str | None = None, readonly: bool | None = None
    ) -> Uncounted:
        """Return the type of a view, which is not counted either."""
        return Uncounted(super().copy(dtype, ndim, layout, readonly))


@register_model(Uncounted)
class UncountedModel(models.StructModel):
    """The fields of numba's own array, the first of which is a mere address here, not a count."""

    def __init__(self, manager: Any, one: Uncounted) -> None:
        members = [
            ("meminfo", types.voidptr),
            ("parent", types.pyobject),
            ("nitems", types.intp),
            ("itemsize", types.intp),
            ("data", types.CPointer(one.dtype)),
            ("shape", types.UniTuple(types.intp, one.ndim)),
            ("strides", types.UniTuple(types.intp, one.ndim)),
        ]
        super().__init__(manager, one, members)


def _retyped(_: Any, columns: Any) -> tuple[Any, Callable[..., Any]]:
    """Type a named tuple anew with its arrays uncounted; its fields stay as they are."""
    members = [Uncounted(one) if isinstance(one, types.Array) else one for one in columns.types]

    def same(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return given[0]

    return types.BaseTuple.from_types(members, columns.instance_class)(columns), same


uncounted: Callable[[Columns], Columns] = intrinsic(_retyped)
"""Returns a named tuple of arrays whose holders are not counted from there on, in compiled code."""
