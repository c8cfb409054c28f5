# SPDX-License-Identifier: BSL-1.0
"""What procpool's objects mean, for gdb: prints Future and ProcessPool; the commands
`procpool pool EXPRESSION`, one line, and `procpool board EXPRESSION`, which lists workers, tasks and the queue. Without
an expression they are about the pool that this process works for, in a worker. Needs the debug information of procpool's
own code: a program that uses it header-only and was compiled with -g, or a library that was. A core file does not hold
the memory that processes share, so all this is for processes that live.

    (gdb) source /usr/local/share/procpool/gdb/procpool.py
    (gdb) procpool board pool
"""

import gdb
import gdb.printing

ROOM = "procpool::v0::detail::"
NOT_IN_CORE = "the memory that the pool's processes share is not here: core files do not hold it"
ADVICE = "procpool's debug information is not here: compile the program header-only, or the library, with -g"


def plain(value):
    """The value of a std::atomic, or of any other number or enumerator."""
    value = value.referenced_value() if value.type.code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF) else value
    for name in ("_M_i", "_M_base", "__a_", "__a_value"):
        if value.type.strip_typedefs().code == gdb.TYPE_CODE_STRUCT and any(f.name == name for f in fields(value.type)):
            return plain(value[name])
    if value.type.strip_typedefs().code == gdb.TYPE_CODE_STRUCT:
        for field in fields(value.type):
            if field.is_base_class:
                return plain(value[field])
    return value


def fields(kind):
    return kind.strip_typedefs().fields()


def number(value):
    return int(plain(value))


def enumerator(value):
    """The last part of the enumerator's name."""
    return str(plain(value)).split("::")[-1]


def text(array):
    """What a std::array of characters holds, up to its first zero."""
    characters = array[next(field for field in fields(array.type) if not field.is_base_class)]
    return characters.string("utf-8", "replace").split("\0")[0]


def named(name):
    try:
        return gdb.lookup_type(ROOM + name)
    except gdb.error as error:
        raise gdb.GdbError(ADVICE) from error


class Board:
    """A pool's board, as the process that is looked at sees it."""

    def __init__(self, board):
        if not fields(board.type):
            raise gdb.GdbError(ADVICE)
        self.board = board
        self.control = board["control"]
        self.size = board["size_"]

    @property
    def name(self):
        return text(self.control["name"])

    def slots(self):
        """Numbers of the slots that ever had a task."""
        return range(min(number(self.control["slots_used"]), number(self.size["slot_count"])))

    def word(self, slot):
        return number(self.board["slots_"][slot]["word"])

    def phase(self, slot):
        kind = named("task::Phase")
        return enumerator(gdb.Value(self.word(slot) & 0xF).cast(kind))

    def task(self, slot):
        """The number of the task in that slot."""
        at = self.board["notes_"] + slot * number(self.size["notes"])
        return int(at.cast(gdb.lookup_type("unsigned long").pointer()).dereference())

    def label(self, slot):
        labelled = number(self.board["slots_"][slot]["traits"]) & number(self.board["slots_"][slot]["labelled"])
        return text(self.board["labels_"][slot]["text"]) if labelled else ""

    def describe(self, slot):
        label = self.label(slot)
        return f"task {self.task(slot)}" + (f" '{label}'" if label else "")

    def seats(self):
        """Those on which there is a worker: (number, seat)."""
        for seat in range(number(self.size["seats"])):
            one = self.board["seats_"][seat]
            if enumerator(one["state"]) != "vacant":
                yield seat, one

    def worker_on(self, seat):
        if seat >= number(self.size["seats"]):
            return "another machine"
        one = self.board["seats_"][seat]
        return f"worker {number(one['index'])} (process {number(one['pid'])})"

    def by_phase(self):
        found = {}
        for slot in self.slots():
            found.setdefault(self.phase(slot), []).append(slot)
        return found

    def line(self):
        phases = self.by_phase()
        tasks = ", ".join(f"{len(phases[one])} {one}" for one in ("blocked", "pending", "started", "done", "lost", "cancelled")
                          if one in phases)
        return (f"'{self.name}', {enumerator(self.control['life'])}, {sum(1 for _ in self.seats())} of "
                f"{number(self.control['workers'])} workers, tasks: {tasks or 'none'}")

    def report(self):
        lines = ["pool " + self.line()]
        for seat, one in self.seats():
            current = number(one["current"])
            does = "idle"
            if 0 < current <= number(self.size["slot_count"]):
                does = "runs " + self.describe(current - 1)
            elif current != 0:
                does = "ends a task"
            if enumerator(one["state"]) != "ready":
                does = "is " + enumerator(one["state"])
            lines.append(f"  {self.worker_on(seat)} {does}; {number(one['completed'])} completed, {number(one['failed'])} failed on its seat")
        phases = self.by_phase()
        for phase in ("blocked", "pending", "started", "done", "lost", "cancelled"):
            tasks = sorted(phases.get(phase, []), key=self.task)
            for slot in tasks[:20]:
                where = f" on {self.worker_on(self.word(slot) >> 20 & 0xFFF)}" if phase == "started" else ""
                lines.append(f"  {phase}: {self.describe(slot)}{where}")
            if len(tasks) > 20:
                lines.append(f"  {phase}: and {len(tasks) - 20} more")
        return "\n".join(lines)


def board_of_client(client):
    if not fields(client.type):
        raise gdb.GdbError(ADVICE)
    return Board(client["board_"].referenced_value())


def board_of(value):
    """The board of a pool, a reference or pointer to one, or a Client."""
    while value.type.strip_typedefs().code in (gdb.TYPE_CODE_PTR, gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
        value = value.referenced_value()
    names = [field.name for field in fields(value.type)]
    if "slots_" in names:
        return Board(value)
    if "board_" in names:
        return board_of_client(value)
    for field in fields(value.type):
        if field.name == "client_":
            client = value[field]
            if int(client) == 0:
                raise gdb.GdbError("this pool has been moved from")
            return board_of_client(client.dereference())
        if field.is_base_class and (ROOM + "PoolBase") in str(field.type):
            return board_of(value[field])
    raise gdb.GdbError("that is no pool of procpool's: " + str(value.type))


def board_here():
    """That of the pool which this process works for."""
    try:
        loop = gdb.parse_and_eval(f"'{ROOM}worker::loop_of_worker'")
    except gdb.error as error:
        raise gdb.GdbError(ADVICE) from error
    if int(loop) == 0:
        raise gdb.GdbError("this process is no worker: say which pool, as in `procpool board pool`")
    return Board(loop["board_"].referenced_value())


def describe_task(handle):
    """A TaskHandle."""
    if int(handle["holder_"]) == 0:
        return None
    serial, slot = int(handle["serial_"]), int(handle["slot_"])
    said = f"task {serial}"
    client = handle["holder_"].cast(named("client::Client").pointer()).dereference()
    board = board_of_client(client)
    if slot >= number(board.size["slot_count"]) or board.task(slot) != serial:
        return said + ", ended"
    phase = board.phase(slot)
    where = f" on {board.worker_on(board.word(slot) >> 20 & 0xFFF)}" if phase == "started" else ""
    return f"{board.describe(slot)} of '{board.name}', {phase}{where}"


def reason(error):
    return NOT_IN_CORE if isinstance(error, gdb.MemoryError) else str(error)


def show(argument, tell):
    """Prints tell(board) of the pool that the command's argument names."""
    try:
        print(tell(board_of(gdb.parse_and_eval(argument)) if argument else board_here()))
    except gdb.MemoryError as error:
        raise gdb.GdbError(NOT_IN_CORE) from error


class FuturePrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        base = self.value[fields(self.value.type)[0]]
        try:
            task = describe_task(base["task_"])
        except (gdb.GdbError, gdb.error) as error:
            return f"a future: {reason(error)}"
        if task is not None:
            return f"future of {task}"
        return "future of a value to come" if int(base["completion_"]["completion_"]) != 0 else "no future"


class PoolPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        try:
            return "pool " + board_of(self.value).line()
        except (gdb.GdbError, gdb.error) as error:
            return f"a pool: {reason(error)}"


class ProcpoolCommand(gdb.Command):
    """About pools of procpool's: `procpool pool`, `procpool board`."""

    def __init__(self):
        super().__init__("procpool", gdb.COMMAND_DATA, prefix=True)


class PoolCommand(gdb.Command):
    """procpool pool [EXPRESSION]: the pool in one line. Without an expression, the pool of this worker."""

    def __init__(self):
        super().__init__("procpool pool", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, _):
        show(argument, lambda board: "pool " + board.line())


class BoardCommand(gdb.Command):
    """procpool board [EXPRESSION]: the pool's workers, its tasks by phase, and its queue. Without an expression, of the pool of this worker."""

    def __init__(self):
        super().__init__("procpool board", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, _):
        show(argument, Board.report)


def printers():
    collection = gdb.printing.RegexpCollectionPrettyPrinter("procpool")
    collection.add_printer("Future", r"^procpool::v\d+::Future<.*>$", FuturePrinter)
    collection.add_printer("ProcessPool", r"^procpool::v\d+::ProcessPool<.*>$", PoolPrinter)
    return collection


gdb.printing.register_pretty_printer(gdb.current_objfile(), printers(), replace=True)
ProcpoolCommand()
PoolCommand()
BoardCommand()
