"""Compute units to SLRs: within the platform's limits where that can be, with the fewest wires."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar

from ortools.sat.python import cp_model
from ortools.sat.python.cp_model import LinearExpr

from stbuild.errors import StbuildError
from stbuild.ir.design import Design, Kernel, KernelRole
from stbuild.ir.lane_shape import lane_shape
from stbuild.ir.plumbing import ComputeUnit
from stbuild.platform import Platform
from stbuild.resources.fit import RESOURCES, limit_of, shell_usage
from stbuild.resources.usage import change_in_luts, control_of, unit_costs, usage_of
from stbuild.resources.wires import memory_wires, wires_between

EFFORT = 30.0
"""Units of the solver's own deterministic time, so that a faster machine does not place otherwise."""
SCALE = 1000
"""What is over a limit counts in thousandths of it, each as bad as `PENALTY` wires."""
PENALTY = 100_000
IN_LUTS = 500
"""A token lane in LUTs counts as so many wires: it is made so only where DSPs bind."""


@dataclass(frozen=True, kw_only=True)
class PlaceKernels:
    """Choose the SLR of every compute unit with CP-SAT; a card without SLRs leaves them open.

    What does not fit is placed all the same, where it passes the limits least: `fit_of` judges it.
    """

    name: ClassVar[str] = "place-kernels"
    platform: Platform

    def __call__(self, design: Design) -> Design:
        bare = replace(design, engines=tuple(replace(engine, fabric=()) for engine in design.engines))
        seats = _Seats(bare, self.platform)
        return seats.placed()


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
        self._order_alike()
        self._in_luts = [
            _LaneKernel(self._model, design, kernel, self._in, self._slrs)
            for kernel in design.kernels
            if kernel.role is KernelRole.MATMUL
        ]

    def placed(self) -> Design:
        """The design with an SLR for each unit, and token lanes in LUTs where there are not enough DSPs."""
        wires = [self._crossing(boundary) for boundary in self._slrs[:-1]]
        over = [*self._fabric(), *(self._over(w, self._sll) for w in wires)]
        in_luts = [len(kernel.units) * kernel.count for kernel in self._in_luts]
        self._model.minimize(
            PENALTY * LinearExpr.sum(over) + IN_LUTS * LinearExpr.sum(in_luts) + LinearExpr.sum(wires)
        )
        return self._solution(self._solver())

    def _order_alike(self) -> None:
        """Units of a kernel are alike: of placements that differ by their names only one is looked at.

        With no more units than SLRs there are few of those, and the order is left to the solver.
        """
        for kernel in self._design.kernels:
            if len(kernel.units) > len(self._slrs):
                seats = [
                    LinearExpr.weighted_sum([self._in[unit, slr] for slr in self._slrs], list(self._slrs))
                    for unit in kernel.units
                ]
                for one, other in pairwise(seats):
                    self._model.add(one <= other)

    def _solver(self) -> cp_model.CpSolver:
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
        return solver

    def _solution(self, solver: cp_model.CpSolver) -> Design:
        fabric = [[0] * len(engine.lanes) for engine in self._design.engines]
        for kernel in self._in_luts:
            for unit in kernel.numbers:
                fabric[kernel.engine][unit] = solver.value(kernel.count)
        engines = tuple(
            replace(engine, fabric=tuple(counts) if any(counts) else ())
            for engine, counts in zip(self._design.engines, fabric, strict=True)
        )
        return replace(self._design, engines=engines, kernels=tuple(self._seated(solver)))

    def _seated(self, solver: cp_model.CpSolver) -> Iterator[Kernel]:
        """The kernels with their SLRs, where the card has any."""
        for kernel in self._design.kernels:
            found = (
                next(s for s in self._slrs if solver.boolean_value(self._in[u, s])) for u in kernel.units
            )
            yield replace(kernel, slrs=tuple(found)) if self._platform.has_slrs else kernel

    @property
    def _sll(self) -> int:
        assert self._platform.sll is not None
        return self._platform.sll.planning

    def _fabric(self) -> list[cp_model.IntVar]:
        """By how much each resource of each SLR is over its limit."""
        costs = unit_costs(usage_of(self._design, self._platform))
        shell = shell_usage(self._design, self._platform)
        changes = [change_in_luts(kernel.shape, self._platform) for kernel in self._in_luts]
        return [
            self._over(
                LinearExpr.weighted_sum(
                    [self._in[unit, slr] for unit in costs],
                    [_halves(getattr(cost, field)) for cost in costs.values()],
                )
                + LinearExpr.sum(
                    [
                        _halves(getattr(change, field)) * kernel.here[slr]
                        for kernel, change in zip(self._in_luts, changes, strict=True)
                    ]
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


class _LaneKernel:
    """Units with the same number of lanes, of whose token lanes equally many, `count`, multiply in LUTs.

    `here` are those in each SLR.
    """

    def __init__(
        self,
        model: cp_model.CpModel,
        design: Design,
        kernel: Kernel,
        seats: Mapping[tuple[str, int], cp_model.IntVar],
        slrs: range,
    ) -> None:
        ops = [p.op for p in design.members(kernel.name) if isinstance(p.op, ComputeUnit)]
        self.engine, self.numbers, self.units = ops[0].engine, [op.unit for op in ops], kernel.units
        self.shape = lane_shape(design, self.engine)
        most = design.engines[self.engine].lanes[ops[0].unit] * self.shape.token_lanes
        self.count = model.new_int_var(0, most, f"token lanes of {kernel.name} in LUTs")
        self.here = [LinearExpr.sum([self._at(model, seats[u, s], most) for u in kernel.units]) for s in slrs]

    def _at(self, model: cp_model.CpModel, seated: cp_model.IntVar, most: int) -> cp_model.IntVar:
        """`count` if a unit is seated in an SLR, else 0."""
        here = model.new_int_var(0, most, "here")
        model.add(here == self.count).only_enforce_if(seated)
        model.add(here == 0).only_enforce_if(~seated)
        return here


def _halves(count: float) -> int:
    """BRAM comes in half tiles; the solver counts whole numbers."""
    return round(2 * count)
