"""Compute units to SLRs: within the platform's limits where that can be, with the fewest wires."""

from dataclasses import dataclass, replace
from typing import ClassVar

from ortools.sat.python import cp_model
from ortools.sat.python.cp_model import LinearExpr

from stbuild.errors import StbuildError
from stbuild.ir.design import Design
from stbuild.platform import Platform
from stbuild.resources.fit import RESOURCES, limit_of, shell_usage
from stbuild.resources.usage import control_of, unit_costs, usage_of
from stbuild.resources.wires import memory_wires, wires_between

EFFORT = 30.0
"""Units of the solver's own deterministic time, so that a faster machine does not place otherwise."""
SCALE = 1000
"""What is over a limit counts in thousandths of it, each as bad as `PENALTY` wires."""
PENALTY = 100_000


@dataclass(frozen=True, kw_only=True)
class PlaceKernels:
    """Choose the SLR of every compute unit with CP-SAT; a card without SLRs leaves them open.

    What does not fit is placed all the same, where it passes the limits least: `fit_of` judges it.
    """

    name: ClassVar[str] = "place-kernels"
    platform: Platform

    def __call__(self, design: Design) -> Design:
        if not self.platform.has_slrs:
            return design
        seats = _Seats(design, self.platform).solve()
        kernels = tuple(replace(k, slrs=tuple(seats[unit] for unit in k.units)) for k in design.kernels)
        return replace(design, kernels=kernels)


class _Seats:
    """The constraint model: a unit is left of a boundary or right of it; a wire's ends differ or not."""

    def __init__(self, design: Design, platform: Platform) -> None:
        self._model = cp_model.CpModel()
        self._platform, self._design = platform, design
        self._slrs = range(len(platform.slrs))
        self._units = [unit for kernel in design.kernels for unit in kernel.units]
        self._in = {
            (unit, slr): self._model.new_bool_var(f"{n} in {slr}")
            for n, unit in enumerate(self._units)
            for slr in self._slrs
        }
        for unit in self._units:
            self._model.add_exactly_one(self._in[unit, slr] for slr in self._slrs)

    def solve(self) -> dict[str, int]:
        """The SLR of each unit."""
        wires = [self._crossing(boundary) for boundary in self._slrs[:-1]]
        over = [*self._fabric(), *(self._over(w, self._sll) for w in wires)]
        self._model.minimize(PENALTY * LinearExpr.sum(over) + LinearExpr.sum(wires))
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = 0
        solver.parameters.max_deterministic_time = EFFORT
        status = solver.solve(self._model)
        stopped = solver.response_proto.deterministic_time >= EFFORT
        if status != cp_model.OPTIMAL and not (status == cp_model.FEASIBLE and stopped):
            raise StbuildError(
                f"the placement of {self._design.name} ended with {solver.status_name(status)}",
                hint="a bug of stbuild: the solver may stop only by its own count of work",
                exit_code=1,
            )
        return {u: next(s for s in self._slrs if solver.boolean_value(self._in[u, s])) for u in self._units}

    @property
    def _sll(self) -> int:
        assert self._platform.sll is not None
        return self._platform.sll.planning

    def _fabric(self) -> list[cp_model.IntVar]:
        """By how much each resource of each SLR is over its limit."""
        costs = unit_costs(usage_of(self._design, self._platform))
        shell = shell_usage(self._design, self._platform)
        return [
            self._over(
                LinearExpr.weighted_sum(
                    [self._in[unit, slr] for unit in costs],
                    [_halves(getattr(cost, field)) for cost in costs.values()],
                )
                + _halves(getattr(shell[slr], field)),
                2 * limit_of(self._platform, slr, field),
            )
            for slr in self._slrs
            for field in RESOURCES
        ]

    def _over(self, used: LinearExpr, limit: int) -> cp_model.IntVar:
        """Thousandths of `limit` by which `used` is over it, begun ones counted."""
        over = self._model.new_int_var(0, 1000 * SCALE, "over")
        self._model.add(SCALE * (used - limit) <= over * max(limit, 1))
        return over

    def _crossing(self, boundary: int) -> LinearExpr:
        """Wires across the boundary behind SLR `boundary`."""
        left = {u: LinearExpr.sum([self._in[u, s] for s in self._slrs[: boundary + 1]]) for u in self._units}
        crossing = [
            wires * self._differ(left[a], left[b]) for (a, b), wires in wires_between(self._design).items()
        ]
        (control,) = control_of(self._design).units
        home = int(self._platform.memory.slr_of(0) <= boundary)
        crossing.append(memory_wires(self._design) * self._differ(left[control], home))
        return LinearExpr.sum(crossing)

    def _differ(self, a: LinearExpr, b: LinearExpr | int) -> cp_model.IntVar:
        differ = self._model.new_bool_var("differ")
        self._model.add(differ >= a - b)
        self._model.add(differ >= b - a)
        return differ


def _halves(count: float) -> int:
    """BRAM comes in half tiles; the solver counts whole numbers."""
    return round(2 * count)
